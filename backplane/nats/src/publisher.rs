//! The publisher: from publications to the stream.
//!
//! A message is sent under an id by which the stream recognises repeats for two minutes. So a message that is not
//! confirmed, because the answer did not come or the stream has no leader at the moment, is sent again under the same
//! id. The messages of an array are sent one after the other, each when the one before it is confirmed: if several were
//! under way together, one that has to be sent again would come after those behind it. So each message has
//! `--publish-timeout`, counted from the confirmation of the one before it, and the array as a whole has half the
//! duplicate window, or `--publish-timeout` if that is longer.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::client::Request;
use async_nats::{Client, RequestErrorKind};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::confirmation::{Confirmation, Unconfirmed};
use crate::replica::Replica;
use crate::stored_message::{self, StoredMessage};
use shared::backplane::{Offsets, Placement, Publication, PublicationDigest, PublishError, Receipt};
use shared::cursor::{Cursor, Epoch};
use shared::message::Draft;
use shared::timestamp::Timestamp;
use shared::topic::Topic;
use shared::traceparent::Traceparent;
use shared::wall_clock::{SystemClock, WallClock};

/// The time that one attempt waits for its answer.
const ATTEMPT: Duration = Duration::from_secs(1);

/// The pause before another attempt.
const PAUSE: Duration = Duration::from_millis(50);

/// The time that an answer waits for its messages to reach the hub.
const VISIBLE: Duration = Duration::from_secs(2);

/// The most earlier messages that are looked up at a time.
const LOOKUPS: usize = 16;

/// Sends publications to the stream.
pub(crate) struct Publisher {
    replica: Arc<Replica>,
    /// The time that a message may take to be confirmed.
    timeout: Duration,
}

/// A message that is sent until it is confirmed.
struct Outgoing<'a> {
    subject: String,
    draft: &'a Draft,
    id: String,
    /// The digest of the whole publication, if it has a key.
    digest: Option<&'a PublicationDigest>,
    traceparent: Option<Traceparent>,
    at: Timestamp,
    deadline: Instant,
}

/// A message that the stream has confirmed.
#[derive(Clone, Copy)]
struct Confirmed {
    confirmation: Confirmation,
    /// It was sent once. A duplicate that was sent more often may be of an earlier attempt of the same publication.
    sent_once: bool,
}

/// A message that is in the stream.
struct Stored {
    sequence: u64,
    at: Timestamp,
    /// An earlier publication under the same key stored it.
    repeated: bool,
}

impl Publisher {
    pub(crate) fn new(replica: Arc<Replica>, timeout: Duration) -> Self {
        Self { replica, timeout }
    }

    pub(crate) async fn publish(&self, publication: Publication) -> Result<Receipt, PublishError> {
        let Publication { topic, drafts, key, traceparent, .. } = publication;
        self.replica.publishable().map_err(PublishError::NotReady)?;
        let client = self.replica.link.client();
        let client = client.map_err(|error| PublishError::NotReady(error.to_string().into()))?;
        let _waiting = self.replica.figures.begin_publication();
        let before = self.replica.progress.reached();
        let at = SystemClock.now();
        // A publisher that is answered "in doubt" and repeats the array must find its first message still recognised.
        let last_deadline = Instant::now() + self.timeout.max(self.replica.stream.settings.duplicate_window() / 2);
        let id = key.as_ref().map_or_else(|| client.new_inbox(), |key| key.as_str().to_owned());
        let digest = key.is_some().then(|| PublicationDigest::of(&topic, &drafts));
        let subject = stored_message::subject(topic.as_str());
        let mut confirmed = Vec::with_capacity(drafts.len());
        for (index, draft) in drafts.iter().enumerate() {
            // A key has no space, that of a subject one, and that of a tick two: no other message has this id.
            let id = format!("{id} {index}");
            let deadline = last_deadline.min(Instant::now() + self.timeout);
            let (subject, digest) = (subject.clone(), digest.as_ref());
            let outgoing = Outgoing { subject, draft, id, digest, traceparent, at, deadline };
            let one = self.send(&client, &outgoing).await?;
            // Before any other message is sent: under a key that is used for something else, nothing is to be appended.
            if index == 0 {
                self.find(one, &topic, &outgoing).await?;
            }
            confirmed.push((one, outgoing));
        }
        let mut lookups = Vec::with_capacity(confirmed.len());
        for (one, outgoing) in &confirmed {
            lookups.push(self.find(*one, &topic, outgoing));
        }
        let stored: Vec<Stored> = stream::iter(lookups).buffered(LOOKUPS).try_collect().await?;
        let epoch = self.until_visible(before, &stored).await?;
        let repeated = stored.iter().all(|stored| stored.repeated);
        let offsets = Offsets::Individual(stored.iter().map(|stored| (stored.sequence, stored.at)).collect());
        Ok(Receipt { placement: Placement { epoch, topic, offsets }, repeated })
    }

    /// Finds out whether a confirmed message was stored by an earlier publication under the same key.
    ///
    /// # Errors
    /// [`PublishError::KeyReused`] when it was, and by another publication.
    async fn find(&self, confirmed: Confirmed, topic: &Topic, outgoing: &Outgoing<'_>) -> Result<Stored, PublishError> {
        let Confirmed { confirmation: Confirmation { sequence, duplicate }, sent_once } = confirmed;
        let &Outgoing { draft, digest, at, .. } = outgoing;
        let Some(digest) = digest.filter(|_| duplicate) else {
            return Ok(Stored { sequence, at, repeated: false });
        };
        let message = match timeout(self.timeout, self.replica.stream.raw(sequence)).await {
            Ok(Ok(Some(message))) => message,
            // The stream no longer holds it, so this publication did not store it a moment ago.
            Ok(Ok(None)) => return Ok(Stored { sequence, at, repeated: true }),
            Ok(Err(error)) => return Err(in_doubt(&error.into())),
            Err(_) => return Err(in_doubt(&Unconfirmed::TimedOut)),
        };
        let earlier = StoredMessage::read(&message);
        if !earlier.is_of(digest, topic, draft) {
            return Err(PublishError::KeyReused);
        }
        // At this very time, it was an attempt of this publication that stored it, and its answer was lost.
        let repeated = sent_once || earlier.at() != at;
        Ok(Stored { sequence, at: earlier.at(), repeated })
    }

    /// Sends a message until the stream has confirmed it or its deadline has passed.
    async fn send(&self, client: &Client, outgoing: &Outgoing<'_>) -> Result<Confirmed, PublishError> {
        let link = &self.replica.link;
        let mut headers = stored_message::headers(outgoing.draft, outgoing.at, outgoing.digest, outgoing.traceparent);
        headers.insert(async_nats::header::NATS_MESSAGE_ID, outgoing.id.as_str());
        headers.insert(async_nats::header::NATS_EXPECTED_STREAM, self.replica.stream.name());
        let payload = Bytes::copy_from_slice(outgoing.draft.text.as_bytes());
        let mut last = Unconfirmed::TimedOut;
        let mut sent_once = true;
        loop {
            if timeout_at(outgoing.deadline, link.until_up()).await.is_err() {
                return Err(in_doubt(&link.up().err().map_or(last, Unconfirmed::from)));
            }
            let left = outgoing.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(in_doubt(&last));
            }
            if !sent_once {
                self.replica.figures.repeats.fetch_add(1, Ordering::Relaxed);
            }
            let request = Request::new().headers(headers.clone()).payload(payload.clone());
            let request = request.timeout(Some(left.min(ATTEMPT)));
            match self.attempt(client, &outgoing.subject, request).await {
                Ok(confirmation) => return Ok(Confirmed { confirmation, sent_once }),
                Err(Unconfirmed::TooLarge) => return Err(PublishError::TooLarge { limit: client.max_payload() }),
                Err(reason) => last = reason,
            }
            sent_once = false;
            sleep(PAUSE.min(left)).await;
        }
    }

    async fn attempt(&self, client: &Client, subject: &str, request: Request) -> Result<Confirmation, Unconfirmed> {
        match client.send_request(subject.to_owned(), request).await {
            Ok(answer) => Confirmation::from_answer(&answer.payload),
            Err(error) => Err(match error.kind() {
                RequestErrorKind::MaxPayloadExceeded => Unconfirmed::TooLarge,
                RequestErrorKind::NoResponders => {
                    self.replica.inspection_wanted.notify_one();
                    Unconfirmed::NoResponders { stream: self.replica.stream.name().to_owned() }
                }
                RequestErrorKind::TimedOut => Unconfirmed::TimedOut,
                _ => Unconfirmed::Request(error),
            }),
        }
    }

    /// Waits until the messages have reached the hub, so that their publisher finds them here once it is answered. Returns
    /// the epoch of the history that they are in.
    async fn until_visible(&self, before: Cursor, stored: &[Stored]) -> Result<Epoch, PublishError> {
        let progress = &self.replica.progress;
        let last = stored.iter().map(|stored| stored.sequence).max().unwrap_or_default();
        let went_back = stored.iter().any(|stored| !stored.repeated && stored.sequence <= before.offset);
        if went_back && progress.reached().epoch == before.epoch {
            // Another message had this sequence before, so this one is in a history that this process does not have yet.
            self.replica.inspection_wanted.notify_one();
            if timeout(self.timeout, progress.until_other_than(before.epoch)).await.is_err() {
                return Err(in_doubt(&Unconfirmed::UnknownHistory));
            }
        }
        let epoch = progress.reached().epoch;
        let _ = timeout(VISIBLE, progress.until(Cursor { epoch, offset: last })).await;
        Ok(progress.reached().epoch)
    }
}

fn in_doubt(reason: &Unconfirmed) -> PublishError {
    PublishError::InDoubt(reason.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica::tests::replica;

    fn at(epoch: u64, offset: u64) -> Cursor {
        Cursor { epoch: Epoch::new(epoch), offset }
    }

    fn stored(sequence: u64) -> Stored {
        Stored { sequence, at: SystemClock.now(), repeated: false }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_went_back_confirms_nothing_in_the_old_history() {
        let replica = replica();
        let publisher = Publisher::new(Arc::clone(&replica), Duration::from_secs(5));
        replica.progress.reach(at(1, 20));
        let refused = publisher.until_visible(at(1, 20), &[stored(11)]).await;
        assert!(matches!(refused, Err(PublishError::InDoubt(_))), "{refused:?}");

        let stored = [stored(11)];
        let (known, ()) = tokio::join!(publisher.until_visible(at(1, 20), &stored), async {
            replica.inspection_wanted.notified().await;
            replica.progress.reach(at(2, 10));
            replica.progress.reach(at(2, 11));
        });
        assert_eq!(known.unwrap(), Epoch::new(2));
    }
}
