//! The topics and patterns that one subscriber follows.

use std::slice;

use parking_lot::RwLock;

use super::batch::{BatchLimit, Entries};
use super::interest::Interest;
use super::matcher::Matcher;
use super::progress::Progress;
use super::registry::Registry;
use super::ring::{Ring, Slot};
use super::unread::Unread;
use super::window::Unreadable;
use crate::topic::TopicFilter;

/// The topics and patterns that one subscriber follows. Most subscribers follow one, which takes no allocation.
pub(crate) enum Interests {
    One(Interest),
    Many(Box<[Interest]>),
}

/// Messages that concern the reader may be gone.
#[derive(Debug)]
pub(crate) struct Lost;

impl Interests {
    /// The interests in the topics and patterns of the filters, which the registry keeps.
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
        self.as_slice().iter().map(|interest| interest.window().last()).max().unwrap_or_default()
    }

    /// The offset through which messages may be gone that concern a reader, of one topic or another, or `None`.
    pub(crate) fn lost_through(&self, progress: Progress) -> Option<u64> {
        self.as_slice().iter().filter_map(|interest| interest.lost_through(progress)).max()
    }

    /// The offset of the oldest message held after an offset. With patterns it may be one of another topic, since finding the
    /// first that matches could take long.
    pub(crate) fn oldest_after(&self, offset: u64, ring: &RwLock<Ring>) -> Option<u64> {
        if self.are_topics() {
            let topics = self.as_slice().iter().filter_map(Interest::topic);
            return topics.filter_map(|topic| topic.oldest_after(offset)).min();
        }
        ring.read().range(offset, u64::MAX).find_map(Slot::entry).map(|entry| entry.offset())
    }

    /// Calls `read` and returns its result. `read` gets the unread entries in order (at least one more than the limit
    /// allows, if there is one) and the offset that they reach: `head`, or less where searching further would keep the
    /// appender waiting.
    ///
    /// Checking for a loss and reading are one step under one lock, so that no eviction can come in between: the lock of the
    /// window, for each topic and pattern, or that of the ring where a window does not reach back far enough.
    pub(crate) fn read<R>(
        &self,
        progress: Progress,
        head: u64,
        limit: BatchLimit,
        ring: &RwLock<Ring>,
        mut read: impl FnMut(Unread<'_>, u64) -> R,
    ) -> Result<R, Lost> {
        let from_windows = match self.as_slice() {
            interests if interests.iter().any(|interest| interest.lost_before(progress).is_some()) => return Err(Lost),
            [interest] => interest.window().read(progress, head, |entries| read(Unread::Window(entries), head)),
            _ => self.merged(progress, head, limit).map(|entries| read(Unread::Merged(entries.iter()), head)),
        };
        match from_windows {
            Ok(result) => return Ok(result),
            Err(Unreadable::Lost) => return Err(Lost),
            Err(Unreadable::Incomplete) => {}
        }
        let matcher = Matcher::new(self.as_slice());
        let ring = ring.read();
        if self.lost_through(progress).is_some() {
            return Err(Lost);
        }
        let through = ring.section(progress.position, head);
        Ok(read(Unread::Ring(ring.range(progress.position, through), &matcher), through))
    }

    /// Returns whether it is not known what was lost before the patterns were followed.
    pub(crate) fn need_survey(&self) -> bool {
        self.as_slice().iter().any(Interest::needs_survey)
    }

    /// Gives up the places among those to be woken.
    pub(crate) fn leave(self, registry: &RwLock<Registry>) {
        match self {
            Self::One(interest) => interest.leave(registry),
            Self::Many(interests) => interests.into_iter().for_each(|interest| interest.leave(registry)),
        }
    }

    /// Returns whether all of them are topics, not patterns.
    fn are_topics(&self) -> bool {
        self.as_slice().iter().all(|interest| interest.topic().is_some())
    }

    /// The messages of all windows, in order; of each window one more than the limit, which shows that there are more.
    fn merged(&self, progress: Progress, head: u64, limit: BatchLimit) -> Result<Entries, Unreadable> {
        let most = limit.messages.max(1).saturating_add(1);
        let mut merged = Entries::new();
        for interest in self.as_slice() {
            interest.window().read(progress, head, |entries| merged.extend(entries.take(most).cloned()))?;
        }
        merged.sort_unstable_by_key(|entry| entry.offset());
        // A message can be of several interests.
        merged.dedup_by_key(|entry| entry.offset());
        Ok(merged)
    }
}

impl Default for Interests {
    fn default() -> Self {
        Self::Many(Box::default())
    }
}
