//! The backplane of one process: it orders messages in memory and needs nothing else.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::time::{Instant, MissedTickBehavior};

use super::idempotency::SeenKeys;
use super::{Backplane, Fatal, NotReady, Offsets, Placement, Publication, PublishError, Receipt};
use crate::cursor::{Cursor, Epoch};
use crate::hub::{Appender, HistoryLimits, Hub};
use crate::message::Message;
use crate::timestamp::Timestamp;

/// How often old messages and keys are looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// Assigns offsets in memory. Its history begins with the process and ends with it.
#[derive(Debug)]
pub struct Memory {
    state: Mutex<State>,
    gather: Duration,
}

#[derive(Debug)]
struct State {
    appender: Appender,
    keys: SeenKeys,
    last_at: Timestamp,
}

impl Memory {
    /// A new history, and the hub that it feeds. At most `keys` idempotency keys are remembered.
    pub fn new(limits: HistoryLimits, keys: usize) -> (Self, Hub) {
        let (hub, appender) = Hub::new(Epoch::born_now(), limits);
        let state = State { appender, keys: SeenKeys::new(keys), last_at: Timestamp::from_millis(0) };
        (Self { state: Mutex::new(state), gather: Duration::ZERO }, hub)
    }

    /// Has subscribers woken only when more messages had this long to come.
    pub fn gather_for(self, gather: Duration) -> Self {
        Self { gather, ..self }
    }

    fn append(&self, Publication { topic, drafts, key }: Publication) -> Result<Receipt, PublishError> {
        let mut state = self.state.lock();
        if let Some(key) = &key {
            if let Some(placement) = state.keys.find(key, Instant::now()) {
                return Ok(Receipt { placement, repeated: true });
            }
            state.keys.check_room()?;
        }
        let epoch = state.appender.epoch();
        let first = state.appender.last_offset() + 1;
        // A clock that is set back must not make a later message look older.
        let at = Timestamp::now().max(state.last_at);
        state.last_at = at;
        let offsets = Offsets::Consecutive { first, count: drafts.len(), at };
        let placement = Placement { epoch, topic: topic.clone(), offsets };
        let messages = (first..).zip(drafts).map(|(offset, draft)| {
            let id = Cursor { epoch, offset };
            Message { id, topic: topic.clone(), text: draft.text, event: draft.event, at }
        });
        let wake = state.appender.append(messages);
        if let Some(key) = key {
            state.keys.remember(key, placement.clone(), Instant::now());
        }
        drop(state);
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
                self.state.lock().keys.expire(now);
                // In slices, so that publishers get in between.
                while self.state.lock().appender.evict_aged(Timestamp::now()) {
                    tokio::task::yield_now().await;
                }
            }
        }
        .boxed()
    }
}
