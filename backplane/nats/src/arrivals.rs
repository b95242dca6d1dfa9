//! Who waits for a message to come back from the stream.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use shared::cursor::{Cursor, Epoch};

/// How far the hub is, and who waits for it to be further.
#[derive(Default)]
pub(super) struct Arrivals {
    state: Mutex<State>,
}

struct State {
    reached: Cursor,
    waiting: BTreeMap<u64, Vec<oneshot::Sender<()>>>,
}

impl Default for State {
    fn default() -> Self {
        Self { reached: Cursor { epoch: Epoch::new(0), offset: 0 }, waiting: BTreeMap::new() }
    }
}

impl Arrivals {
    /// Where the hub is.
    pub(super) fn reached(&self) -> Cursor {
        self.state.lock().reached
    }

    /// The hub has reached a position. In a new history, whoever waited for a place in the old one waits no longer.
    pub(super) fn reach(&self, reached: Cursor) {
        let mut state = self.state.lock();
        let arrived = if state.reached.epoch == reached.epoch {
            let later = state.waiting.split_off(&(reached.offset + 1));
            std::mem::replace(&mut state.waiting, later)
        } else {
            std::mem::take(&mut state.waiting)
        };
        state.reached = reached;
        drop(state);
        for waiting in arrived.into_values().flatten() {
            // An error means that they gave up.
            let _ = waiting.send(());
        }
    }

    /// Waits until the hub is at a position, or has another history.
    pub(super) async fn of(&self, position: Cursor) {
        // Dropped after the receiver, so that it finds it closed.
        let _leave = Leave { arrivals: self, offset: position.offset };
        let arrival = {
            let mut state = self.state.lock();
            if state.reached.epoch != position.epoch || state.reached.offset >= position.offset {
                return;
            }
            let (sender, arrival) = oneshot::channel();
            let waiting = state.waiting.entry(position.offset).or_default();
            waiting.push(sender);
            arrival
        };
        let _ = arrival.await;
    }
}

/// Leaves nothing behind of those who give up.
struct Leave<'a> {
    arrivals: &'a Arrivals,
    offset: u64,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let mut state = self.arrivals.state.lock();
        if let Some(waiting) = state.waiting.get_mut(&self.offset) {
            waiting.retain(|other| !other.is_closed());
            if waiting.is_empty() {
                state.waiting.remove(&self.offset);
            }
        }
    }
}
