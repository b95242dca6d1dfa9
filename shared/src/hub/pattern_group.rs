//! The subscribers of one pattern.

use std::collections::vec_deque::Iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use super::entry::Entry;
use super::loss::{Loss, Losses};
use super::progress::Progress;
use super::slots::Slots;
use super::window::{Unreadable, Window};
use crate::topic::Pattern;

/// The number of the newest messages that are found without searching the ring.
const WINDOW: usize = 64;

/// The subscribers of one pattern, and all that they share. It holds no topics: the registry finds the groups of a topic.
pub(crate) struct PatternGroup {
    pub(crate) pattern: Pattern,
    /// No other group of the same history has this number, and it is not 0.
    pub(crate) number: u64,
    pub(crate) slots: Arc<Slots>,
    /// The offset of the newest message or loss of any matching topic.
    last: AtomicU64,
    /// The newest messages that match, and the losses of all topics that match.
    window: RwLock<Window>,
}

impl PatternGroup {
    /// Makes a group. `complete_after` is the newest offset of any message: the window holds all that comes after it.
    pub(crate) fn new(pattern: Pattern, number: u64, last: u64, complete_after: u64, losses: Losses) -> Self {
        let window = RwLock::new(Window::new(complete_after, losses));
        Self { pattern, number, slots: Arc::default(), last: AtomicU64::new(last), window }
    }

    pub(crate) fn last(&self) -> u64 {
        self.last.load(Ordering::Acquire)
    }

    /// The offset through which messages may be gone that concern a reader, or `None`.
    pub(crate) fn lost_through(&self, progress: Progress) -> Option<u64> {
        self.window.read().losses().concerning(progress)
    }

    pub(crate) fn push(&self, entry: &Arc<Entry>) {
        let mut window = self.window.write();
        window.push(Arc::clone(entry));
        window.narrow_to(WINDOW);
        drop(window);
        self.last.fetch_max(entry.offset(), Ordering::AcqRel);
    }

    /// Drops a message of a matching topic, which is evicted.
    pub(crate) fn evict(&self, loss: Loss) {
        self.window.write().evict(loss);
    }

    /// Notes that everything up to an offset may be gone, which is news for the subscribers.
    pub(crate) fn lose(&self, loss: Loss) {
        self.window.write().lose(loss);
        self.last.fetch_max(loss.through, Ordering::AcqRel);
    }

    /// As [`Window::read`].
    pub(crate) fn read<R>(
        &self,
        progress: Progress,
        head: u64,
        read: impl FnOnce(Iter<'_, Arc<Entry>>) -> R,
    ) -> Result<R, Unreadable> {
        self.window.read().read(progress, head, read)
    }
}
