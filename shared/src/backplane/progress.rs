//! The position that the hub has reached, and the publishers and clients that wait for it.

use std::collections::BTreeMap;
use std::fmt;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::cursor::{Cursor, Epoch};

/// The position that the hub has reached, and those who wait for it to get further: what a backplane needs whose messages come
/// back to it from elsewhere.
#[derive(Default)]
pub struct Progress {
    waiting: Mutex<Waiting>,
}

struct Waiting {
    reached: Cursor,
    by_offset: BTreeMap<u64, Vec<oneshot::Sender<()>>>,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { reached: Cursor { epoch: Epoch::new(0), offset: 0 }, by_offset: BTreeMap::new() }
    }
}

impl Progress {
    /// The position of the hub.
    pub fn reached(&self) -> Cursor {
        self.waiting.lock().reached
    }

    /// Records the position that the hub has reached. The first one of a new history ends every wait for one of the old.
    pub fn reach(&self, reached: Cursor) {
        let mut waiting = self.waiting.lock();
        let done = if waiting.reached.epoch == reached.epoch {
            let later = waiting.by_offset.split_off(&(reached.offset + 1));
            std::mem::replace(&mut waiting.by_offset, later)
        } else {
            std::mem::take(&mut waiting.by_offset)
        };
        waiting.reached = reached;
        drop(waiting);
        for waiter in done.into_values().flatten() {
            // An error means that the waiter gave up.
            let _ = waiter.send(());
        }
    }

    /// Waits until the hub has reached a position, or has another history.
    pub async fn until(&self, position: Cursor) {
        // Dropped after the receiver, so that it finds the channel closed.
        let _cleanup = Cleanup { progress: self, offset: position.offset };
        let done = {
            let mut waiting = self.waiting.lock();
            if waiting.reached.epoch != position.epoch || waiting.reached.offset >= position.offset {
                return;
            }
            let (sender, done) = oneshot::channel();
            waiting.by_offset.entry(position.offset).or_default().push(sender);
            done
        };
        let _ = done.await;
    }

    /// Waits until the hub has another history than that of an epoch.
    pub async fn until_other_than(&self, epoch: Epoch) {
        self.until(Cursor { epoch, offset: u64::MAX }).await;
    }
}

/// Removes what a waiter that gave up has left behind.
struct Cleanup<'a> {
    progress: &'a Progress,
    offset: u64,
}

impl Drop for Cleanup<'_> {
    fn drop(&mut self) {
        let mut waiting = self.progress.waiting.lock();
        if let Some(waiters) = waiting.by_offset.get_mut(&self.offset) {
            waiters.retain(|waiter| !waiter.is_closed());
            if waiters.is_empty() {
                waiting.by_offset.remove(&self.offset);
            }
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress").field("reached", &self.reached()).finish_non_exhaustive()
    }
}
