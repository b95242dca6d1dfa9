//! The subscribers of one pattern.

use std::collections::vec_deque::Iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use super::entry::Entry;
use super::loss::Loss;
use super::progress::Progress;
use super::slots::Slots;
use super::usage::Usage;
use super::window::{Unreadable, Window};
use crate::topic::Pattern;

/// The number of the newest messages that are found without searching the ring.
const WINDOW: usize = 64;

/// The cost of a pattern that is followed, in bytes: the group, its window, and its part of the maps.
const COST: usize = 2048;

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
    usage: Arc<Usage>,
}

impl PatternGroup {
    /// A group with an empty window, which counts in the memory that the history uses.
    pub(crate) fn new(pattern: Pattern, number: u64, last: u64, window: Window, usage: Arc<Usage>) -> Self {
        usage.add(COST);
        Self { pattern, number, slots: Arc::default(), last: AtomicU64::new(last), window: RwLock::new(window), usage }
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

impl Drop for PatternGroup {
    fn drop(&mut self) {
        self.usage.subtract(COST);
    }
}
