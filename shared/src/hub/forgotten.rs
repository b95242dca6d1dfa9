//! The losses of topics that are no longer kept.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::loss::Loss;
use crate::topic::Topic;

/// The losses of topics that are no longer kept.
///
/// A topic that nobody uses must cost nothing, yet older cursors must still get a gap; so all such topics share a fixed
/// number of buckets. Two topics in one bucket can make a gap be reported where nothing was missed, never the reverse.
pub(crate) struct Forgotten {
    buckets: Box<[Loss; Self::BUCKETS]>,
    /// The loss of every topic, those that have never been kept included.
    everywhere: Loss,
}

impl Forgotten {
    const BUCKETS: usize = 1024;

    fn index(topic: &Topic) -> usize {
        let mut hasher = DefaultHasher::new();
        topic.hash(&mut hasher);
        hasher.finish() as usize % Self::BUCKETS
    }

    /// Adds a loss of one topic.
    pub(crate) fn add(&mut self, topic: &Topic, loss: Loss) {
        let bucket = &mut self.buckets[Self::index(topic)];
        *bucket = bucket.or(loss);
    }

    /// Adds a loss of every topic.
    pub(crate) fn add_everywhere(&mut self, loss: Loss) {
        self.everywhere = self.everywhere.or(loss);
    }

    /// The losses of a topic.
    pub(crate) fn losses(&self, topic: &Topic) -> [Loss; 2] {
        [self.buckets[Self::index(topic)], self.everywhere]
    }

    /// The losses of all topics.
    pub(crate) fn all(&self) -> impl Iterator<Item = Loss> {
        self.buckets.iter().copied().chain([self.everywhere])
    }
}

impl Default for Forgotten {
    fn default() -> Self {
        Self { buckets: Box::new([Loss::default(); Self::BUCKETS]), everywhere: Loss::default() }
    }
}
