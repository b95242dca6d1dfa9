//! The subscribers of one pattern with wildcards, and the topics that it matches.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use super::history::{Loss, TopicHistory};
use super::slots::Slots;
use crate::topic::{Pattern, Topic};

/// All that subscribers of the same pattern share.
pub(crate) struct PatternGroup {
    pub(crate) pattern: Pattern,
    pub(crate) slots: Arc<Slots>,
    pub(crate) matching: RwLock<Matching>,
    /// The offset of the newest message of any matching topic.
    last: AtomicU64,
}

/// The topics that a pattern matches, as far as they are kept.
pub(crate) struct Matching {
    pub(crate) topics: HashMap<Topic, Arc<TopicHistory>>,
    /// Of matching topics that are kept no longer, every message up to this offset may be gone.
    pub(crate) loss: Loss,
}

impl PatternGroup {
    pub(crate) fn new(pattern: Pattern, topics: HashMap<Topic, Arc<TopicHistory>>, loss: Loss) -> Self {
        let last = topics.values().map(|topic| topic.last()).max().unwrap_or_default();
        let matching = RwLock::new(Matching { topics, loss });
        Self { pattern, slots: Arc::default(), matching, last: AtomicU64::new(last) }
    }

    pub(crate) fn last(&self) -> u64 {
        self.last.load(Ordering::Acquire)
    }

    pub(crate) fn pushed(&self, offset: u64) {
        self.last.fetch_max(offset, Ordering::AcqRel);
    }

    /// Has everything up to an offset taken for lost, of topics that match.
    pub(crate) fn lose(&self, loss: Loss) {
        let mut matching = self.matching.write();
        matching.loss = matching.loss.with(loss);
        self.last.fetch_max(loss.through, Ordering::AcqRel);
    }

    /// Takes a topic that is kept no longer off the list, and remembers what it has lost.
    pub(crate) fn forget(&self, topic: &Arc<TopicHistory>) {
        let mut matching = self.matching.write();
        matching.topics.remove(&topic.topic);
        matching.loss = matching.loss.with(topic.loss());
    }
}
