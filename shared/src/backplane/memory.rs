//! The backplane of one process: it orders messages in memory and needs nothing else.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::time::{Instant, MissedTickBehavior};

use super::answers::{Answers, ContentHasher};
use super::error::{Fatal, NotReady, PublishError};
use super::interface::Backplane;
use super::placement::{Offsets, Placement};
use super::publication::{Publication, Receipt};
use crate::cursor::{Cursor, Epoch};
use crate::hub::{Appender, HistoryLimits, Hub};
use crate::message::Message;
use crate::wall_clock::{SystemClock, WallClock};

/// The period after which old messages and keys are dropped.
const SWEEP: Duration = Duration::from_secs(1);

/// Assigns offsets in memory. Its history begins with the process and ends with it.
#[derive(Debug)]
pub struct Memory {
    sequence: Mutex<Sequence>,
    content_hasher: ContentHasher,
    wall_clock: Box<dyn WallClock>,
    gather: Duration,
}

/// The order of the messages, and what depends on it.
#[derive(Debug)]
struct Sequence {
    appender: Appender,
    answers: Answers,
}

impl Memory {
    /// A new history, and the hub that it feeds. At most `keys` idempotency keys are remembered.
    pub fn new(limits: HistoryLimits, keys: usize) -> (Self, Hub) {
        let (hub, appender) = Hub::new(Epoch::born_now(), limits);
        let sequence = Sequence { appender, answers: Answers::new(keys) };
        let memory = Self {
            sequence: Mutex::new(sequence),
            content_hasher: ContentHasher::default(),
            wall_clock: Box::new(SystemClock),
            gather: Duration::ZERO,
        };
        (memory, hub)
    }

    /// Dates messages by another clock than the system's.
    pub fn dated_by(self, clock: impl WallClock + 'static) -> Self {
        Self { wall_clock: Box::new(clock), ..self }
    }

    /// Delays the waking of subscribers, so that messages which follow within this time are delivered together.
    pub fn gather_for(self, gather: Duration) -> Self {
        Self { gather, ..self }
    }

    fn evict_aged(&self) -> bool {
        let appender = &mut self.sequence.lock().appender;
        let now = appender.now();
        appender.evict_aged(now)
    }

    fn append(&self, publication: Publication) -> Result<Receipt, PublishError> {
        let content = publication.key.is_some().then(|| self.content_hasher.hash(&publication));
        let Publication { topic, drafts, key, traceparent, publisher, may_use_new_key } = publication;
        let keyed = key.zip(content);
        let mut sequence = self.sequence.lock();
        if let Some((key, content)) = &keyed {
            if let Some(placement) = sequence.answers.find(key, *content, Instant::now())? {
                return Ok(Receipt { placement, repeated: true });
            }
            if !may_use_new_key {
                return Err(PublishError::ShareOfKeys);
            }
            sequence.answers.check_room(Instant::now())?;
        }
        let epoch = sequence.appender.epoch();
        let first = sequence.appender.last_offset() + 1;
        let at = self.wall_clock.now();
        let offsets = Offsets::Consecutive { first, count: drafts.len(), at };
        let placement = Placement { epoch, topic: topic.clone(), offsets };
        let messages = (first..).zip(drafts).map(|(offset, draft)| {
            let id = Cursor { epoch, offset };
            let traceparent = traceparent.map(Box::new);
            Message { id, topic: topic.clone(), text: draft.text, event: draft.event, at, traceparent }
        });
        let wake = sequence.appender.append_by(publisher, messages);
        if let Some((key, content)) = keyed {
            sequence.answers.remember(key, content, placement.clone(), Instant::now());
        }
        drop(sequence);
        wake.wake_after(self.gather);
        Ok(Receipt { placement, repeated: false })
    }
}

impl Backplane for Memory {
    fn publish(&self, publication: Publication) -> BoxFuture<'_, Result<Receipt, PublishError>> {
        std::future::ready(self.append(publication)).boxed()
    }

    fn ready(&self) -> Result<(), NotReady> {
        Ok(())
    }

    fn run(self: Arc<Self>) -> BoxFuture<'static, Fatal> {
        async move {
            let mut sweep = tokio::time::interval(SWEEP);
            sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                let now = sweep.tick().await;
                self.sequence.lock().answers.expire(now);
                // In slices, so that publishers get in between.
                while self.evict_aged() {
                    tokio::task::yield_now().await;
                }
            }
        }
        .boxed()
    }
}
