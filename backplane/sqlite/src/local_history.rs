//! The part of the history that this process has in memory, and how far in the file it has come.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::batch::{Batch, Place};
use crate::replica::Replica;
use shared::cursor::{Cursor, Epoch};
use shared::hub::{Appender, Hub, Wake};

/// The history in memory, which the follower and the writer bring forward. Nothing before the first one is filled.
pub(crate) struct LocalHistory {
    hub: Hub,
    replica: Arc<Replica>,
    /// The time for which subscribers are left asleep, so that they are woken once for several messages.
    gather: Duration,
    filled: Mutex<Option<Filled>>,
}

/// A history with the messages of the file up to a place.
pub(crate) struct Filled {
    appender: Appender,
    place: Place,
}

impl LocalHistory {
    pub(crate) fn new(hub: Hub, replica: Arc<Replica>, gather: Duration) -> Self {
        Self { hub, replica, gather, filled: Mutex::default() }
    }

    /// The epoch and the place that was reached, once there is a history.
    pub(crate) fn reached(&self) -> Option<(Epoch, Place)> {
        self.filled.lock().as_ref().map(|filled| (filled.epoch(), filled.place))
    }

    /// Makes the messages after a place visible, unless the history is at another one by now. Returns whether it was there.
    pub(crate) fn take(&self, before: Place, batch: Batch) -> bool {
        let mut filled = self.filled.lock();
        let Some(filled) = &mut *filled else { return false };
        let is_next = filled.epoch() == batch.row.epoch && filled.place == before;
        if is_next {
            self.replica.figures.take(&batch.row);
            filled.take(batch).into_iter().for_each(|wake| wake.wake_after(self.gather));
            self.replica.progress.reach(filled.cursor());
        }
        is_next
    }

    /// Puts a history in the place of the one before.
    pub(crate) fn replace(&self, filled: Filled) {
        let mut present = self.filled.lock();
        self.hub.replace(&filled.appender).wake();
        self.replica.progress.reach(filled.cursor());
        *present = Some(filled);
    }

    /// Evicts some of the old messages from memory. Returns whether there are more.
    pub(crate) fn evict(&self) -> bool {
        let evict = |filled: &mut Filled| filled.appender.evict_aged(filled.appender.now());
        self.filled.lock().as_mut().is_some_and(evict)
    }
}

impl Filled {
    /// A history that begins after an offset. Nothing before it is in memory.
    pub(crate) fn new(mut appender: Appender, before: u64) -> Self {
        if before > 0 {
            // There are no subscribers to wake yet.
            drop(appender.lost_through(before));
        }
        Self { appender, place: Place::after(before) }
    }

    pub(crate) fn place(&self) -> Place {
        self.place
    }

    fn epoch(&self) -> Epoch {
        self.appender.epoch()
    }

    fn cursor(&self) -> Cursor {
        Cursor { epoch: self.epoch(), offset: self.place.position }
    }

    /// Makes a batch visible. The caller wakes the subscribers.
    pub(crate) fn take(&mut self, batch: Batch) -> Vec<Wake> {
        let mut wakes = Vec::new();
        if !batch.lost.is_empty() {
            wakes.push(self.appender.lost_in_each(batch.lost.iter().map(|(topic, through)| (topic, *through))));
        }
        wakes.extend(batch.lost_in_all.map(|through| self.appender.lost_in_all(through)));
        if !batch.messages.is_empty() {
            let now = self.appender.now();
            let held = batch.messages.into_iter().map(|(message, held_since)| {
                let age = Duration::from_millis(u64::try_from(batch.age - held_since).unwrap_or_default());
                (message, now.earlier_by(age))
            });
            wakes.push(self.appender.append_held(held));
        }
        self.place = batch.next;
        self.appender.skip_to(self.place.position);
        wakes
    }
}
