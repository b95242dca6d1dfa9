//! What the stream holds and memory does not.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use async_nats::jetstream::{Context, stream};
use futures_util::future::{BoxFuture, Shared, WeakShared};
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::stream::Seen;
use super::subjects::subjects;
use super::wire::Stored;
use super::{ASK, Parts};
use shared::cursor::Cursor;
use shared::hub::{Archive, Entry, Fetched};
use shared::topic::TopicFilter;

/// How many pages are fetched at a time. Those of clients that all come back at once wait for each other.
const AT_A_TIME: usize = 16;

/// The most messages in a page.
const PAGE: usize = 256;

/// The most bytes in a page; always at least one message.
const PAGE_BYTES: usize = 4 << 20;

/// The most full topics of which it is looked up what they hold.
const FULL_TOPICS: usize = 64;

/// The pause before another attempt.
const PAUSE: Duration = Duration::from_millis(300);

/// After so many attempts it is no passing trouble.
const LASTING: u32 = 20;

type Fetching = BoxFuture<'static, Fetched>;

/// What is fetched: of which topics, after what.
type Wanted = (Vec<TopicFilter>, Cursor);

/// Reads from the stream. Clients that want the same are given the same.
pub(super) struct StreamArchive {
    parts: Arc<Parts>,
    places: Arc<Semaphore>,
    pages: Mutex<HashMap<Wanted, WeakShared<Fetching>>>,
}

impl StreamArchive {
    pub(super) fn new(parts: Arc<Parts>) -> Self {
        Self { parts, places: Arc::new(Semaphore::new(AT_A_TIME)), pages: Mutex::default() }
    }

    fn page(&self, filters: &[TopicFilter], after: Cursor) -> Shared<Fetching> {
        let mut pages = self.pages.lock();
        let wanted = (filters.to_vec(), after);
        if let Some(page) = pages.get(&wanted).and_then(WeakShared::upgrade) {
            return page;
        }
        if pages.len() == pages.capacity() {
            pages.retain(|_, page| page.upgrade().is_some());
        }
        let fetching = fetch(Arc::clone(&self.parts), Arc::clone(&self.places), filters.to_vec(), after);
        let page = fetching.boxed().shared();
        if let Some(weak) = page.downgrade() {
            pages.insert(wanted, weak);
        }
        page
    }
}

impl Archive for StreamArchive {
    fn fetch(&self, filters: &[TopicFilter], after: Cursor) -> BoxFuture<'static, Fetched> {
        self.page(filters, after).boxed()
    }
}

impl fmt::Debug for StreamArchive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamArchive").finish_non_exhaustive()
    }
}

/// Why a page could not be had now.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NotNow(String);

impl NotNow {
    fn of(error: impl fmt::Display) -> Self {
        Self(error.to_string())
    }
}

async fn fetch(parts: Arc<Parts>, places: Arc<Semaphore>, filters: Vec<TopicFilter>, after: Cursor) -> Fetched {
    let mut failed = 0;
    loop {
        parts.link.until_up().await;
        // It is never closed.
        let place = places.acquire().await;
        let fetched = Fetch { parts: &parts, filters: &filters, subjects: subjects(&filters), after }.page().await;
        drop(place);
        match fetched {
            Ok(fetched) => return fetched,
            Err(error) => {
                failed += 1;
                // More than the election of a leader takes: somebody has to do something about it.
                if failed == LASTING {
                    tracing::warn!(%error, "older messages cannot be read, and clients wait for them; still trying");
                } else {
                    tracing::debug!(%error, "older messages cannot be read now");
                }
            }
        }
        sleep(PAUSE.mul_f64(1.0 + fastrand::f64())).await;
    }
}

struct Fetch<'a> {
    parts: &'a Parts,
    filters: &'a [TopicFilter],
    subjects: Vec<String>,
    after: Cursor,
}

impl Fetch<'_> {
    /// A page, and the proof that it is whole: that nothing after the cursor was given up before it was read. The proof
    /// looks at the stream after the page was read; what is there then was there before.
    async fn page(&self) -> Result<Fetched, NotNow> {
        let jetstream = self.parts.link.jetstream().map_err(NotNow)?;
        let seen = self.parts.spec.look(&jetstream).await.map_err(NotNow::of)?;
        if !self.may_be_whole(&seen)? {
            return Ok(Fetched::Gone);
        }
        let entries = self.read(&jetstream).await?;
        let reached = entries.last().map_or(self.after.offset, |(sequence, _)| *sequence);
        // A page that is not full says nothing of what is behind its last message: a server that is behind the others
        // may have answered.
        let stream = jetstream.get_stream_no_info(self.parts.spec.name()).await.map_err(NotNow::of)?;
        let through = if entries.len() >= PAGE || self.follows(&stream, reached, seen.last).await? {
            reached
        } else {
            seen.last.max(reached)
        };
        if through <= self.after.offset {
            return Err(NotNow("the server that answered is behind".to_owned()));
        }
        if !self.is_whole(&stream).await? {
            return Ok(Fetched::Gone);
        }
        let entries = entries.into_iter().filter_map(|(_, entry)| entry).collect();
        Ok(Fetched::Page { entries, through })
    }

    /// Whether the stream may hold everything after the cursor. What was given up from the stream's beginning had nothing
    /// older beside it, so all that is newer than the stream's first message was not given up in this way.
    fn may_be_whole(&self, seen: &Seen) -> Result<bool, NotNow> {
        if seen.epoch() != self.after.epoch {
            // The subscriber is about to be told.
            return Err(NotNow("the stream holds another history".to_owned()));
        }
        Ok(seen.unfit.is_none() && seen.first <= self.after.offset + 1 && seen.last > self.after.offset)
    }

    /// Whether the stream holds everything after the cursor. A topic that is not full has given up nothing but from the
    /// stream's beginning (see `losses`); a full one, nothing that is newer than its first message.
    async fn is_whole(&self, stream: &stream::Stream<()>) -> Result<bool, NotNow> {
        let mut full = Vec::new();
        for subject in &self.subjects {
            let mut counts = stream.info_with_subjects(subject).await.map_err(NotNow::of)?;
            let seen = self.parts.spec.seen(&counts.info);
            if !self.may_be_whole(&seen)? {
                return Ok(false);
            }
            let Some(limit) = seen.per_topic else { continue };
            while let Some((subject, count)) = counts.try_next().await.map_err(NotNow::of)? {
                if count as u64 >= limit {
                    full.push(subject);
                }
            }
        }
        if full.len() > FULL_TOPICS {
            return Ok(false);
        }
        for subject in full {
            let first = next(stream, 1, &subject).await?;
            if first.is_none_or(|first| first > self.after.offset + 1) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether there is something of these topics after an offset, up to another.
    async fn follows(&self, stream: &stream::Stream<()>, after: u64, until: u64) -> Result<bool, NotNow> {
        for subject in &self.subjects {
            if next(stream, after + 1, subject).await?.is_some_and(|next| next <= until) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What comes after the cursor, up to the size of a page: numbers, and the messages if they are such and wanted.
    async fn read(&self, jetstream: &Context) -> Result<Vec<(u64, Option<Arc<Entry>>)>, NotNow> {
        let (filter_subject, filter_subjects) = match &self.subjects[..] {
            [one] => (one.clone(), Vec::new()),
            many => (String::new(), many.to_vec()),
        };
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: self.after.offset + 1 },
            ack_policy: AckPolicy::None,
            filter_subject,
            filter_subjects,
            inactive_threshold: ASK * 5,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let name = self.parts.spec.name();
        let consumer = jetstream.create_consumer_on_stream(config, name).await.map_err(NotNow::of)?;
        let bytes = PAGE_BYTES.max(2 * self.parts.link.client().map_err(NotNow)?.max_payload());
        let mut entries = Vec::new();
        let reading = async {
            let mut messages =
                consumer.fetch().max_messages(PAGE).max_bytes(bytes).messages().await.map_err(NotNow::of)?;
            // An error is the end of the page; what is behind it is found missing then.
            while let Some(Ok(message)) = messages.next().await {
                let Ok(info) = message.info() else { break };
                let (sequence, nanos) = (info.stream_sequence, info.published.unix_timestamp_nanos());
                let stored = Stored {
                    subject: &message.subject,
                    headers: message.headers.as_ref(),
                    payload: &message.payload,
                    nanos,
                };
                let message = stored.message(Cursor { offset: sequence, ..self.after }).ok();
                let wanted = message.filter(|message| self.filters.iter().any(|filter| filter.matches(&message.topic)));
                entries.push((sequence, wanted.map(|message| Arc::new(Entry::new(message)))));
            }
            Ok(())
        };
        let read = timeout(ASK, reading).await;
        // It would go by itself, later.
        let _ = jetstream.delete_consumer_from_stream(&consumer.cached_info().name, name).await;
        match read {
            Ok(Err(error)) => Err(error),
            Err(_) if entries.is_empty() => Err(NotNow("NATS did not answer in time".to_owned())),
            Ok(Ok(())) | Err(_) => Ok(entries),
        }
    }
}

/// The number of the first message from a number on, of the topics of a subject. The stream's leader answers, which knows.
async fn next(stream: &stream::Stream<()>, from: u64, subject: &str) -> Result<Option<u64>, NotNow> {
    match stream.raw_message_builder().sequence(from).next_by_subject(subject).send().await {
        Ok(message) => Ok(Some(message.sequence)),
        Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => Ok(None),
        Err(error) => Err(NotNow::of(error)),
    }
}
