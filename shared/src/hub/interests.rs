//! All that one subscriber follows.

use std::slice;
use std::sync::Arc;

use parking_lot::RwLock;

use super::batch::{BatchLimit, Entries};
use super::entry::Entry;
use super::interest::Interest;
use super::progress::Progress;
use super::registry::Registry;
use super::ring::Ring;
use super::window::Unreadable;
use crate::topic::{Topic, TopicFilter};

/// All that one subscriber follows. Most follow one topic or pattern, and it takes no allocation.
pub(crate) enum Interests {
    One(Interest),
    Many(Box<[Interest]>),
}

/// Messages that concern the reader may be gone.
#[derive(Debug)]
pub(crate) struct Lost;

impl Interests {
    /// The interests in what the filters name, which the registry keeps.
    pub(crate) fn new(registry: &Registry, filters: &[TopicFilter]) -> Self {
        match filters {
            [filter] => Self::One(Interest::new(registry, filter)),
            filters => Self::Many(filters.iter().map(|filter| Interest::new(registry, filter)).collect()),
        }
    }

    pub(crate) fn as_slice(&self) -> &[Interest] {
        match self {
            Self::One(interest) => slice::from_ref(interest),
            Self::Many(interests) => interests,
        }
    }

    pub(crate) fn filters(&self) -> Vec<TopicFilter> {
        self.as_slice().iter().map(Interest::filter).collect()
    }

    /// The offset of the newest message there has been.
    pub(crate) fn last(&self) -> u64 {
        self.as_slice().iter().map(Interest::last).max().unwrap_or_default()
    }

    /// The offset through which messages may be gone that concern a reader, of one topic or another, or `None`.
    pub(crate) fn lost_through(&self, progress: Progress) -> Option<u64> {
        self.as_slice().iter().filter_map(|interest| interest.lost_through(progress)).max()
    }

    /// The offset of the oldest message held after an offset.
    pub(crate) fn oldest_after(&self, offset: u64, ring: &RwLock<Ring>) -> Option<u64> {
        if self.are_topics() {
            return self
                .as_slice()
                .iter()
                .filter_map(Interest::topic)
                .filter_map(|topic| topic.oldest_after(offset))
                .min();
        }
        let ring = ring.read();
        let oldest = ring.range(offset, u64::MAX).find(|entry| self.matches(&entry.message.topic));
        oldest.map(|entry| entry.offset())
    }

    /// Returns the result of `read`. It is called with the entries that a reader has not read, in order and at least one
    /// more than the limit allows if there are so many, and with the offset that they reach up to: `head`, or an earlier one where reading on would keep the appender waiting.
    ///
    /// Looking for a loss and reading are one step under one lock for each topic, so that no eviction can go in between.
    pub(crate) fn read<R>(
        &self,
        progress: Progress,
        head: u64,
        limit: BatchLimit,
        ring: &RwLock<Ring>,
        mut read: impl FnMut(&mut dyn Iterator<Item = &Arc<Entry>>, u64) -> R,
    ) -> Result<R, Lost> {
        if let [interest] = self.as_slice() {
            match interest.read(progress, head, |entries| read(entries, head)) {
                Ok(result) => return Ok(result),
                Err(Unreadable::Lost) => return Err(Lost),
                Err(Unreadable::Incomplete) => {}
            }
        } else if self.are_topics() {
            return Ok(read(&mut self.merged(progress, head, limit)?.iter(), head));
        }
        let ring = ring.read();
        if self.lost_through(progress).is_some() {
            return Err(Lost);
        }
        let through = ring.section(progress.position, head);
        let entries = ring.range(progress.position, through);
        Ok(read(&mut entries.filter(|entry| self.matches(&entry.message.topic)), through))
    }

    /// Gives up the places among those to be woken.
    pub(crate) fn leave(self, registry: &RwLock<Registry>) {
        match self {
            Self::One(interest) => interest.leave(registry),
            Self::Many(interests) => interests.into_iter().for_each(|interest| interest.leave(registry)),
        }
    }

    /// Whether they are topics alone, no patterns.
    fn are_topics(&self) -> bool {
        self.as_slice().iter().all(|interest| interest.topic().is_some())
    }

    fn matches(&self, topic: &Topic) -> bool {
        self.as_slice().iter().any(|interest| interest.matches(topic))
    }

    /// What the topics hold, in order; of each topic one message more than the limit, which shows that there are more.
    fn merged(&self, progress: Progress, head: u64, limit: BatchLimit) -> Result<Entries, Lost> {
        let most = limit.messages.max(1).saturating_add(1);
        let mut merged = Entries::new();
        for interest in self.as_slice() {
            interest.read(progress, head, |entries| merged.extend(entries.take(most).cloned())).map_err(|_| Lost)?;
        }
        merged.sort_unstable_by_key(|entry| entry.offset());
        // A topic can be named twice.
        merged.dedup_by_key(|entry| entry.offset());
        Ok(merged)
    }
}

impl Default for Interests {
    fn default() -> Self {
        Self::Many(Box::default())
    }
}
