//! From publishers to the stream.
//!
//! A message goes under an id, by which the stream recognises it for two minutes. So one whose fate is not known, because
//! the answer did not come or the stream has no leader at the moment, is sent again under the same id. The messages of an
//! array are sent one after the other, each when the one before it is confirmed: were they on their way together, one
//! that has to be sent again would come after those behind it. So each has the time of `--publish-timeout`, counted from
//! the confirmation of the one before it.

use std::time::Duration;

use async_nats::client::Request;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::response::Response;
use async_nats::{Client, RequestErrorKind};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{Parts, wire};
use shared::backplane::{Offsets, Placement, Publication, PublishError, Receipt};
use shared::cursor::{Cursor, Epoch};
use shared::message::Draft;
use shared::timestamp::Timestamp;
use shared::topic::Topic;

/// How long one attempt waits for its answer.
const ATTEMPT: Duration = Duration::from_secs(1);

/// The pause before another attempt where the answer was that it cannot be now.
const PAUSE: Duration = Duration::from_millis(50);

/// How long an answer waits for the message to arrive here too.
const ARRIVAL: Duration = Duration::from_secs(2);

/// How many messages are read back at a time.
const AT_A_TIME: usize = 16;

/// One message on its way.
struct Sending<'a> {
    subject: String,
    draft: &'a Draft,
    id: String,
    at: Timestamp,
    deadline: Instant,
}

/// What the stream says to a message.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Confirmed { sequence: u64, duplicate: bool },
    TooLarge,
    NotNow(String),
}

/// A message that the stream has.
#[derive(Clone, Copy)]
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

impl Said {
    fn of(answer: &[u8]) -> Self {
        match serde_json::from_slice(answer) {
            // The same message is being stored at this moment, and may still fail to be.
            Ok(Response::Ok(PublishAck { sequence: 0, .. })) => {
                Self::NotNow("the same message is under way already".to_owned())
            }
            Ok(Response::Ok(PublishAck { sequence, duplicate, .. })) => Self::Confirmed { sequence, duplicate },
            Ok(Response::Err { error }) if error.error_code() == ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM => {
                Self::TooLarge
            }
            Ok(Response::Err { error }) => Self::NotNow(error.to_string()),
            Err(error) => Self::NotNow(format!("what NATS answered is not understood: {error}")),
        }
    }
}

impl Parts {
    pub(super) async fn publish(&self, publication: Publication) -> Result<Receipt, PublishError> {
        let Publication { mut topic, drafts, key } = publication;
        self.open().map_err(|reason| PublishError::NotReady(reason.into()))?;
        let client = self.link.client().map_err(|reason| PublishError::NotReady(reason.into()))?;
        let before = self.arrivals.reached();
        let at = Timestamp::now();
        // Whoever is told that it is in doubt must find the beginning still recognised.
        let at_last = Instant::now() + self.publish_timeout.max(self.spec.window() / 2);
        let id = key.as_ref().map_or_else(|| client.new_inbox(), |key| key.as_str().to_owned());
        let mut confirmed = Vec::with_capacity(drafts.len());
        for (index, draft) in drafts.iter().enumerate() {
            // No key has a space, so this is the id of no other message.
            let id = format!("{id} {index}");
            let deadline = at_last.min(Instant::now() + self.publish_timeout);
            let sending = Sending { subject: wire::subject(topic.as_str()), draft, id, at, deadline };
            let one = self.confirmed(&client, &sending).await?;
            // What is missing of an earlier publication goes where its beginning is.
            if index == 0
                && key.is_some()
                && one.duplicate
                && let Some(earlier) = self.sent(one, at, &topic).await?.earlier
            {
                topic = earlier;
            }
            confirmed.push(one);
        }
        let mut sent = Vec::with_capacity(confirmed.len());
        for one in confirmed {
            sent.push(self.sent(Confirmed { duplicate: one.duplicate && key.is_some(), ..one }, at, &topic));
        }
        let sent: Vec<Sent> = stream::iter(sent).buffered(AT_A_TIME).try_collect().await?;
        let epoch = self.arrived(before, &sent).await?;
        let repeated = sent.iter().all(|sent| sent.earlier.is_some());
        let offsets = Offsets::Individual(sent.iter().map(|sent| (sent.sequence, sent.at)).collect());
        Ok(Receipt { placement: Placement { epoch, topic, offsets }, repeated })
    }

    /// Finds out what the stream has of an earlier publication under the same key.
    async fn sent(&self, confirmed: Confirmed, at: Timestamp, topic: &Topic) -> Result<Sent, PublishError> {
        let Confirmed { sequence, duplicate, at_once } = confirmed;
        if !duplicate {
            return Ok(Sent { sequence, at, earlier: None });
        }
        let reading =
            async { self.spec.stored(&self.link.jetstream()?, sequence).await.map_err(|error| error.to_string()) };
        let earlier = match timeout(self.publish_timeout, reading).await {
            Ok(Ok(Some((subject, stored_at)))) => wire::topic(&subject).map(|topic| (topic, stored_at)),
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
                Ok(answer) => match Said::of(&answer.payload) {
                    Said::Confirmed { sequence, duplicate } => return Ok(Confirmed { sequence, duplicate, at_once }),
                    Said::TooLarge => return Err(PublishError::TooLarge { limit: client.max_payload() }),
                    Said::NotNow(why) => reason = why,
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
    async fn arrived(&self, before: Cursor, sent: &[Sent]) -> Result<Epoch, PublishError> {
        let last = sent.iter().map(|sent| sent.sequence).max().unwrap_or_default();
        let went_back = sent.iter().any(|sent| sent.earlier.is_none() && sent.sequence <= before.offset);
        if went_back && self.arrivals.reached().epoch == before.epoch {
            // A number that others had before: it is of a history that is not known here yet.
            self.doubt.notify_one();
            let never = Cursor { offset: u64::MAX, ..before };
            if timeout(self.publish_timeout, self.arrivals.of(never)).await.is_err() {
                let reason = "the stream has gone back, and which history it holds is not known";
                return Err(PublishError::InDoubt(reason.to_owned()));
            }
        }
        let epoch = self.arrivals.reached().epoch;
        let _ = timeout(ARRIVAL, self.arrivals.of(Cursor { epoch, offset: last })).await;
        Ok(self.arrivals.reached().epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::parts;

    fn at(epoch: u64, offset: u64) -> Cursor {
        Cursor { epoch: Epoch::new(epoch), offset }
    }

    fn sent(sequence: u64) -> Sent {
        Sent { sequence, at: Timestamp::now(), earlier: None }
    }

    #[test]
    fn what_is_under_way_is_not_confirmed() {
        let confirmed = Said::Confirmed { sequence: 7, duplicate: true };
        assert_eq!(Said::of(br#"{"stream":"PUSH","seq":7,"duplicate":true}"#), confirmed);
        for not_now in [r#"{"stream":"PUSH","seq":0,"duplicate":true}"#, "{}", ""] {
            assert!(matches!(Said::of(not_now.as_bytes()), Said::NotNow(_)), "{not_now}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_went_back_confirms_nothing_in_the_old_history() {
        let parts = parts();
        parts.arrivals.reach(at(1, 20));
        let doubtful = parts.arrived(at(1, 20), &[sent(11)]).await;
        assert!(matches!(doubtful, Err(PublishError::InDoubt(_))), "{doubtful:?}");

        let sent = [sent(11)];
        let (known, ()) = tokio::join!(parts.arrived(at(1, 20), &sent), async {
            parts.doubt.notified().await;
            parts.arrivals.reach(at(2, 10));
            parts.arrivals.reach(at(2, 11));
        });
        assert_eq!(known.unwrap(), Epoch::new(2));
    }
}
