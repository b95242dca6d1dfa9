//! The messages of one topic.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::entry::Entry;
use super::loss::{Loss, Losses};
use super::shared_window::SharedWindow;
use super::slots::Slots;
use crate::topic::Topic;

/// The messages of one topic, and its subscribers.
pub(crate) struct TopicHistory {
    pub(crate) topic: Topic,
    pub(crate) slots: Arc<Slots>,
    /// All that is held.
    pub(crate) window: SharedWindow,
    /// The memory of the messages without their encodings. Only the appender changes and reads it.
    bytes: AtomicUsize,
}

impl TopicHistory {
    pub(crate) fn new(topic: Topic, losses: Losses) -> Self {
        Self { topic, slots: Arc::default(), window: SharedWindow::new(0, 0, losses), bytes: AtomicUsize::new(0) }
    }

    pub(crate) fn len(&self) -> usize {
        self.window.ask(|window| window.len())
    }

    /// The memory of the messages without their encodings, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Returns whether the topic neither holds a message nor has a subscriber.
    pub(crate) fn is_unused(&self) -> bool {
        self.len() == 0 && self.slots.is_empty()
    }

    pub(crate) fn losses(&self) -> Vec<Loss> {
        self.window.ask(|window| window.losses().iter().collect())
    }

    /// The offset of the oldest message held after an offset.
    pub(crate) fn oldest_after(&self, offset: u64) -> Option<u64> {
        self.window.ask(|window| window.oldest_after(offset))
    }

    pub(crate) fn push(&self, entry: Arc<Entry>) {
        self.bytes.fetch_add(entry.bytes(), Ordering::Relaxed);
        self.window.push(entry, usize::MAX);
    }

    /// Takes out the oldest message, which is lost by this eviction.
    pub(crate) fn evict_oldest(&self, eviction: u64) -> Option<Arc<Entry>> {
        let evicted = self.window.change(|window| {
            let through = window.oldest()?.offset();
            window.evict(Loss { through, eviction })
        })?;
        self.bytes.fetch_sub(evicted.bytes(), Ordering::Relaxed);
        Some(evicted)
    }
}
