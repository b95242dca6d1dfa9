//! Reading a page from the stream, and the proof that it is whole.

use std::sync::Arc;

use async_nats::jetstream::consumer::pull::{self, BatchError};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer};
use async_nats::jetstream::context::GetStreamError;
use async_nats::jetstream::stream::{ConsumerError, InfoError, LastRawMessageErrorKind, RawMessageError, Stream};
use futures_util::{StreamExt, TryStreamExt};
use tokio::time::timeout;

use super::charge::Charge;
use super::page::{MAX_BYTES, MAX_MESSAGES, Page, cost};
use crate::link::{NotConnected, REQUEST_TIMEOUT};
use crate::replica::Replica;
use crate::stored_message::StoredMessage;
use crate::stream::{StreamError, StreamSnapshot};
use crate::subjects::subjects;
use shared::cursor::Cursor;
use shared::hub::Entry;
use shared::topic::TopicFilter;

/// The most full topics whose first messages are looked up.
const MAX_FULL_TOPICS: usize = 64;

/// The most bytes that the server is asked to send: in memory, a message takes twice its size.
const MAX_SENT: usize = MAX_BYTES / 2;

/// The reason why a page cannot be fetched at the moment.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error(transparent)]
    NotConnected(#[from] NotConnected),
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The hub is about to be given the other history.
    #[error("the stream holds another history")]
    OtherHistory,
    #[error("the server that answered is behind")]
    ServerBehind,
    #[error("NATS did not answer in time")]
    TimedOut,
    /// The next message has to be fetched alone.
    #[error("the next message is larger than a page")]
    Oversize,
    #[error(transparent)]
    Info(#[from] InfoError),
    #[error(transparent)]
    Consumer(#[from] ConsumerError),
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error(transparent)]
    Lookup(#[from] RawMessageError),
    #[error(transparent)]
    Name(#[from] GetStreamError),
}

/// The amount that is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Page,
    /// A single message, however large.
    OneMessage,
}

/// An attempt to fetch a page.
pub(super) struct Fetch<'a> {
    replica: &'a Replica,
    filters: &'a [TopicFilter],
    subjects: Vec<String>,
    after: Cursor,
    extent: Extent,
}

/// The messages that a consumer has delivered, of which those that are valid and match the filters are entries of the page.
#[derive(Default)]
struct Delivered {
    count: usize,
    last: Option<u64>,
    entries: Vec<Arc<Entry>>,
    /// The consumer stopped with an error, such as that the next message exceeds the bytes that may be sent.
    failed: bool,
}

impl<'a> Fetch<'a> {
    pub(super) fn new(replica: &'a Replica, filters: &'a [TopicFilter], after: Cursor, extent: Extent) -> Self {
        Self { replica, filters, subjects: subjects(filters), after, extent }
    }

    /// Reads a page, and proves that it is whole: that the stream had given up nothing after the cursor before it was read.
    /// The proof uses snapshots that are taken after the page was read; a message that is there then was there before.
    /// Returns `None` where something may be missing.
    pub(super) async fn run(&self, charge: &mut Charge<'_>) -> Result<Option<Page>, FetchError> {
        let snapshot = self.replica.stream.snapshot().await?;
        if !self.may_be_whole(&snapshot)? {
            return Ok(None);
        }
        let Delivered { count, last, entries, failed } = self.read(charge).await?;
        if count == 0 && failed && self.extent == Extent::Page {
            return Err(FetchError::Oversize);
        }
        let reached = last.unwrap_or(self.after.offset);
        let jetstream = self.replica.link.jetstream()?;
        let stream = jetstream.get_stream_no_info(self.replica.stream.name()).await?;
        // A page that is not full does not prove that nothing follows: a server that is behind may have answered.
        let through = if count >= MAX_MESSAGES || self.follows(&stream, reached, snapshot.last).await? {
            reached
        } else {
            snapshot.last.max(reached)
        };
        if through <= self.after.offset {
            return Err(FetchError::ServerBehind);
        }
        let page = Page::new(self.after.offset, through, entries);
        Ok(self.is_whole(&stream).await?.then_some(page))
    }

    /// Returns whether the stream may hold everything after the cursor. A message that the stream gave up from its beginning
    /// had nothing older beside it, so nothing newer than the stream's first message was given up in this way.
    fn may_be_whole(&self, snapshot: &StreamSnapshot) -> Result<bool, FetchError> {
        if snapshot.epoch() != self.after.epoch {
            return Err(FetchError::OtherHistory);
        }
        let offset = self.after.offset;
        Ok(snapshot.unfit.is_none() && snapshot.first <= offset + 1 && snapshot.last > offset)
    }

    /// Returns whether the stream holds everything after the cursor. A topic that is not full has given up nothing but from
    /// the stream's beginning (see `losses`); a full one, nothing that is newer than its first message.
    async fn is_whole(&self, stream: &Stream<()>) -> Result<bool, FetchError> {
        let mut full = Vec::new();
        for subject in &self.subjects {
            let mut counts = stream.info_with_subjects(subject).await?;
            let snapshot = self.replica.stream.snapshot_in(&counts.info);
            if !self.may_be_whole(&snapshot)? {
                return Ok(false);
            }
            let Some(limit) = snapshot.per_topic else { continue };
            while let Some((subject, count)) = counts.try_next().await? {
                if count as u64 >= limit {
                    full.push(subject);
                }
            }
        }
        if full.len() > MAX_FULL_TOPICS {
            return Ok(false);
        }
        for subject in full {
            let first = first_from(stream, 1, &subject).await?;
            if first.is_none_or(|first| first > self.after.offset + 1) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns whether the stream has a message of these topics after an offset, up to another.
    async fn follows(&self, stream: &Stream<()>, after: u64, until: u64) -> Result<bool, FetchError> {
        for subject in &self.subjects {
            if first_from(stream, after + 1, subject).await?.is_some_and(|first| first <= until) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads what comes after the cursor, up to the size of a page.
    async fn read(&self, charge: &mut Charge<'_>) -> Result<Delivered, FetchError> {
        let (filter_subject, filter_subjects) = match &self.subjects[..] {
            [one] => (one.clone(), Vec::new()),
            many => (String::new(), many.to_vec()),
        };
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: self.after.offset + 1 },
            ack_policy: AckPolicy::None,
            filter_subject,
            filter_subjects,
            inactive_threshold: REQUEST_TIMEOUT * 5,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let (jetstream, stream) = (self.replica.link.jetstream()?, self.replica.stream.name());
        let consumer: PullConsumer = jetstream.create_consumer_on_stream(config, stream).await?;
        let mut delivered = Delivered::default();
        let read = timeout(REQUEST_TIMEOUT, self.take(&consumer, &mut delivered, charge)).await;
        // The server would delete it by itself, later.
        let _ = jetstream.delete_consumer_from_stream(&consumer.cached_info().name, stream).await;
        match read {
            Ok(Err(error)) => Err(error),
            Err(_) if delivered.count == 0 => Err(FetchError::TimedOut),
            Ok(Ok(())) | Err(_) => Ok(delivered),
        }
    }

    /// Takes messages from a consumer. Where it stops early, `follows` finds that there is more.
    async fn take(
        &self,
        consumer: &PullConsumer,
        delivered: &mut Delivered,
        charge: &mut Charge<'_>,
    ) -> Result<(), FetchError> {
        let fetch = consumer.fetch();
        let fetch = match self.extent {
            Extent::Page => fetch.max_messages(MAX_MESSAGES).max_bytes(MAX_SENT),
            Extent::OneMessage => fetch.max_messages(1),
        };
        let mut messages = fetch.messages().await?;
        while let Some(message) = messages.next().await {
            let Ok(message) = message else {
                delivered.failed = true;
                break;
            };
            let Some(stored) = StoredMessage::delivered(&message) else { break };
            let message = stored.message(self.after.epoch).ok();
            if let Some(message) =
                message.filter(|message| self.filters.iter().any(|filter| filter.matches(&message.topic)))
            {
                let bytes = cost(&message);
                if !delivered.entries.is_empty() && charge.bytes() + bytes > MAX_BYTES {
                    break;
                }
                charge.add(bytes);
                delivered.entries.push(Arc::new(Entry::new(message)));
            }
            delivered.count += 1;
            delivered.last = Some(stored.sequence);
        }
        Ok(())
    }
}

/// The sequence of the first message from a sequence on, of the topics of a subject. The stream's leader answers, which has
/// all messages.
async fn first_from(stream: &Stream<()>, from: u64, subject: &str) -> Result<Option<u64>, FetchError> {
    match stream.raw_message_builder().sequence(from).next_by_subject(subject).send().await {
        Ok(message) => Ok(Some(message.sequence)),
        Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
