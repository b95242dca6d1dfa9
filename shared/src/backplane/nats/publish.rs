//! From publishers to the stream.
//!
//! A message goes under an id, by which the stream recognises it for two minutes. So one whose fate is not known, because
//! the answer did not come or the stream has no leader at the moment, is sent again under the same id. The messages of an
//! array are sent one after the other, each when the one before it is confirmed: were they on their way together, one
//! that has to be sent again would come after those behind it.

use std::time::Duration;

use async_nats::client::Request;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::response::Response;
use async_nats::{Client, RequestErrorKind};
use bytes::Bytes;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{Parts, wire};
use crate::backplane::{Placement, Places, Publication, PublishError, Receipt};
use crate::cursor::{Cursor, Epoch};
use crate::message::Draft;
use crate::timestamp::Timestamp;
use crate::topic::Topic;

/// How long one attempt waits for its answer.
const ATTEMPT: Duration = Duration::from_secs(1);

/// The pause before another attempt where the answer was that it cannot be now.
const PAUSE: Duration = Duration::from_millis(50);

/// How long an answer waits for the message to arrive here too.
const ARRIVAL: Duration = Duration::from_secs(2);

/// One message on its way.
struct Sending<'a> {
    subject: String,
    draft: &'a Draft,
    id: String,
    at: Timestamp,
    deadline: Instant,
}

/// What the stream said.
struct Confirmed {
    sequence: u64,
    /// It had the message already.
    duplicate: bool,
    /// It was asked once. If it was asked more often, what it has may be of an earlier attempt.
    at_once: bool,
}

/// A message that is in the stream.
struct Sent {
    sequence: u64,
    at: Timestamp,
    /// It is there by an earlier publication under the same key, on this topic.
    earlier: Option<Topic>,
}

impl Parts {
    pub(super) async fn publish(&self, publication: Publication) -> Result<Receipt, PublishError> {
        let Publication { topic, drafts, key } = publication;
        self.link.up().and_then(|()| self.known()).map_err(PublishError::NotReady)?;
        let client = self.link.client().map_err(PublishError::NotReady)?;
        let before = self.arrivals.reached();
        let (deadline, at) = (Instant::now() + self.publish_timeout, Timestamp::now());
        let id = key.as_ref().map_or_else(|| client.new_inbox(), |key| key.as_str().to_owned());
        let mut sent = Vec::with_capacity(drafts.len());
        for (index, draft) in drafts.iter().enumerate() {
            // No key has a space, so this is the id of no other message.
            let id = format!("{id} {index}");
            let sending = Sending { subject: wire::subject(topic.as_str()), draft, id, at, deadline };
            sent.push(self.send(&client, &sending, key.is_some(), &topic).await?);
        }
        let epoch = self.arrived(before, &sent).await;
        let repeated = sent.iter().all(|sent| sent.earlier.is_some());
        let topic = sent.iter().find_map(|sent| sent.earlier.clone()).unwrap_or(topic);
        let places = Places::Scattered(sent.iter().map(|sent| (sent.sequence, sent.at)).collect());
        Ok(Receipt { placement: Placement { epoch, topic, places }, repeated })
    }

    fn known(&self) -> Result<(), String> {
        match &*self.state.lock() {
            super::State::Unknown(reason) => Err(reason.clone()),
            super::State::Behind(_) | super::State::Following => Ok(()),
        }
    }

    async fn send(
        &self,
        client: &Client,
        sending: &Sending<'_>,
        keyed: bool,
        topic: &Topic,
    ) -> Result<Sent, PublishError> {
        let Confirmed { sequence, duplicate, at_once } = self.confirmed(client, sending).await?;
        let at = sending.at;
        if !duplicate || !keyed {
            return Ok(Sent { sequence, at, earlier: None });
        }
        let reading =
            async { self.spec.stored(&self.link.jetstream()?, sequence).await.map_err(|error| error.to_string()) };
        let earlier = match timeout_at(sending.deadline, reading).await {
            Ok(Ok(Some((subject, stored_at)))) => {
                let topic = subject.strip_prefix(wire::PREFIX).and_then(|topic| topic.parse().ok());
                topic.map(|topic| (topic, stored_at))
            }
            // It is no longer held, which is not known of a message that was sent just now.
            Ok(Ok(None)) => None,
            Ok(Err(reason)) => return Err(PublishError::InDoubt(reason)),
            Err(_) => return Err(PublishError::InDoubt("NATS did not answer in time".to_owned())),
        };
        Ok(match earlier {
            // An attempt of this very publication was taken, and its answer was lost.
            Some((earlier, stored_at)) if !at_once && earlier == *topic && stored_at == at => {
                Sent { sequence, at, earlier: None }
            }
            Some((earlier, stored_at)) => Sent { sequence, at: stored_at, earlier: Some(earlier) },
            None => Sent { sequence, at, earlier: Some(topic.clone()) },
        })
    }

    /// Sends a message until the stream has confirmed it or time is over.
    async fn confirmed(&self, client: &Client, sending: &Sending<'_>) -> Result<Confirmed, PublishError> {
        let mut headers = wire::headers(sending.draft, sending.at);
        headers.insert(async_nats::header::NATS_MESSAGE_ID, sending.id.as_str());
        headers.insert(async_nats::header::NATS_EXPECTED_STREAM, self.spec.name());
        let payload = Bytes::copy_from_slice(sending.draft.text.as_bytes());
        let mut reason = "NATS did not answer in time".to_owned();
        let mut at_once = true;
        loop {
            if timeout_at(sending.deadline, self.link.until_up()).await.is_err() {
                return Err(PublishError::InDoubt(self.link.up().err().unwrap_or(reason)));
            }
            let left = sending.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(PublishError::InDoubt(reason));
            }
            let request =
                Request::new().headers(headers.clone()).payload(payload.clone()).timeout(Some(left.min(ATTEMPT)));
            match client.send_request(sending.subject.clone(), request).await {
                Ok(answer) => match serde_json::from_slice(&answer.payload) {
                    Ok(Response::Ok(PublishAck { sequence, duplicate, .. })) => {
                        return Ok(Confirmed { sequence, duplicate, at_once });
                    }
                    Ok(Response::Err { error }) if error.error_code() == ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM => {
                        return Err(PublishError::TooLarge { limit: client.max_payload() });
                    }
                    Ok(Response::Err { error }) => reason = error.to_string(),
                    Err(error) => reason = format!("what NATS answered is not understood: {error}"),
                },
                Err(error) => match error.kind() {
                    RequestErrorKind::MaxPayloadExceeded => {
                        return Err(PublishError::TooLarge { limit: client.max_payload() });
                    }
                    // There is no leader now, or no stream.
                    RequestErrorKind::NoResponders => {
                        reason = format!("the stream {} does not answer", self.spec.name());
                        self.doubt.notify_one();
                    }
                    RequestErrorKind::TimedOut => reason = "NATS did not answer in time".to_owned(),
                    _ => reason = error.to_string(),
                },
            }
            at_once = false;
            sleep(PAUSE.min(left)).await;
        }
    }

    /// Waits until what was sent has arrived here, so that whoever is answered finds it here too. Returns the epoch of the
    /// history that it is in.
    async fn arrived(&self, before: Cursor, sent: &[Sent]) -> Epoch {
        let last = sent.iter().map(|sent| sent.sequence).max().unwrap_or_default();
        let went_back = sent.iter().any(|sent| sent.earlier.is_none() && sent.sequence <= before.offset);
        if went_back && self.arrivals.reached().epoch == before.epoch {
            // A number that others had before: it is of a history that is not known here yet.
            self.doubt.notify_one();
            let never = Cursor { offset: u64::MAX, ..before };
            let _ = timeout(ARRIVAL, self.arrivals.of(never)).await;
        }
        let epoch = self.arrivals.reached().epoch;
        let _ = timeout(ARRIVAL, self.arrivals.of(Cursor { epoch, offset: last })).await;
        self.arrivals.reached().epoch
    }
}
