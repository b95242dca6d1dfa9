//! The messages of one topic.

use std::collections::vec_deque::Iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use super::entry::Entry;
use super::loss::{Loss, Losses};
use super::progress::Progress;
use super::slots::Slots;
use super::window::{Unreadable, Window};
use crate::topic::Topic;

/// The messages of one topic, and its subscribers.
pub(crate) struct TopicHistory {
    pub(crate) topic: Topic,
    pub(crate) slots: Arc<Slots>,
    /// The offset of the newest message or loss. It is an atomic, so that checking for news takes no lock.
    last: AtomicU64,
    /// All that is held.
    window: RwLock<Window>,
}

impl TopicHistory {
    pub(crate) fn new(topic: Topic, losses: Losses) -> Self {
        let window = RwLock::new(Window::new(0, losses));
        Self { topic, slots: Arc::default(), last: AtomicU64::new(0), window }
    }

    pub(crate) fn last(&self) -> u64 {
        self.last.load(Ordering::Acquire)
    }

    pub(crate) fn len(&self) -> usize {
        self.window.read().len()
    }

    /// Returns whether the topic neither holds a message nor has a subscriber.
    pub(crate) fn is_unused(&self) -> bool {
        self.len() == 0 && self.slots.is_empty()
    }

    pub(crate) fn losses(&self) -> Vec<Loss> {
        self.window.read().losses().iter().collect()
    }

    /// The offset through which messages may be gone that concern a reader, or `None`.
    pub(crate) fn lost_through(&self, progress: Progress) -> Option<u64> {
        self.window.read().losses().concerning(progress)
    }

    /// The offset of the oldest message held after an offset.
    pub(crate) fn oldest_after(&self, offset: u64) -> Option<u64> {
        self.window.read().oldest_after(offset)
    }

    pub(crate) fn push(&self, entry: Arc<Entry>) {
        let offset = entry.offset();
        self.window.write().push(entry);
        self.last.store(offset, Ordering::Release);
    }

    /// Takes out the oldest message, which is lost by this eviction.
    pub(crate) fn evict_oldest(&self, eviction: u64) -> Option<Arc<Entry>> {
        let mut window = self.window.write();
        let through = window.oldest()?.offset();
        window.evict(Loss { through, eviction })
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
