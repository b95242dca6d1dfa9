//! The bounded history of one topic.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use super::pattern::PatternGroup;
use super::run::{LastRun, Run, RunKey};
use super::slots::Slots;
use super::{BatchLimit, Entries, Entry, Format};
use crate::timestamp::Timestamp;
use crate::topic::Topic;

/// What is held of one topic, and who waits for more.
pub(crate) struct TopicHistory {
    pub(crate) topic: Topic,
    pub(crate) slots: Arc<Slots>,
    /// The patterns in use that match this topic.
    pub(crate) patterns: RwLock<Vec<Arc<PatternGroup>>>,
    /// The offset of the newest message there has been, so that a look need not take the lock.
    last: AtomicU64,
    held: RwLock<Held>,
}

struct Held {
    /// In order of offset.
    entries: VecDeque<Arc<Entry>>,
    loss: Loss,
}

/// What may be gone.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Loss {
    /// Every message up to this offset.
    pub(crate) through: u64,
    /// By this eviction, the last one.
    pub(crate) at: u64,
}

impl Loss {
    /// Of both.
    pub(crate) fn with(self, other: Self) -> Self {
        Self { through: self.through.max(other.through), at: self.at.max(other.at) }
    }

    /// Whether it concerns a reader who has seen everything up to `after` and has settled every eviction up to `settled`.
    pub(crate) fn concerns(self, after: u64, settled: u64) -> bool {
        self.through > after && self.at > settled
    }
}

/// Messages are gone that a reader has neither seen nor settled.
pub(crate) struct Lost;

impl TopicHistory {
    pub(crate) fn new(topic: Topic, loss: Loss) -> Self {
        let held = RwLock::new(Held { entries: VecDeque::new(), loss });
        Self { topic, slots: Arc::default(), patterns: RwLock::default(), last: AtomicU64::new(0), held }
    }

    pub(crate) fn last(&self) -> u64 {
        self.last.load(Ordering::Acquire)
    }

    pub(crate) fn loss(&self) -> Loss {
        self.held.read().loss
    }

    pub(crate) fn len(&self) -> usize {
        self.held.read().entries.len()
    }

    /// Neither holds a message nor has a subscriber.
    pub(crate) fn is_unused(&self) -> bool {
        self.len() == 0 && self.slots.is_empty()
    }

    /// The offset and time of the oldest message held.
    pub(crate) fn oldest(&self) -> Option<(u64, Timestamp)> {
        self.held.read().entries.front().map(|entry| (entry.offset(), entry.message.at))
    }

    /// The offset of the oldest message held after an offset.
    pub(crate) fn oldest_after(&self, after: u64) -> Option<u64> {
        let held = self.held.read();
        held.entries.get(first_after(&held.entries, after)).map(|entry| entry.offset())
    }

    pub(crate) fn push(&self, entry: Arc<Entry>) {
        let offset = entry.offset();
        self.held.write().entries.push_back(entry);
        self.last.store(offset, Ordering::Release);
        for pattern in self.patterns.read().iter() {
            pattern.pushed(offset);
        }
    }

    pub(crate) fn evict_oldest(&self, eviction: u64) -> Option<Arc<Entry>> {
        let mut held = self.held.write();
        let entry = held.entries.pop_front()?;
        // More may be lost than what was held.
        held.loss = held.loss.with(Loss { through: entry.offset(), at: eviction });
        if held.entries.len() < held.entries.capacity() / 4 {
            let room = held.entries.len() * 2;
            held.entries.shrink_to(room);
        }
        Some(entry)
    }

    /// Has everything up to an offset taken for lost. Those who wait have something to be told.
    pub(crate) fn lose(&self, loss: Loss) {
        let mut held = self.held.write();
        held.loss = held.loss.with(loss);
        self.last.fetch_max(loss.through, Ordering::AcqRel);
    }

    /// Adds to `into` the messages after `after` up to `head`, at most `most` of them.
    ///
    /// Looking for a loss and reading are one step under one lock: nothing can go in between.
    pub(crate) fn read(
        &self,
        after: u64,
        settled: u64,
        head: u64,
        most: usize,
        into: &mut Entries,
    ) -> Result<(), Lost> {
        let held = self.held.read();
        if held.loss.concerns(after, settled) {
            return Err(Lost);
        }
        let entries = held.entries.range(first_after(&held.entries, after)..);
        into.extend(entries.take_while(|entry| entry.offset() <= head).take(most).cloned());
        Ok(())
    }
}

impl TopicHistory {
    /// The messages after `after` up to `head`, as they are written and as many as the limit allows. `None` if there is
    /// none.
    pub(crate) fn run(
        &self,
        after: u64,
        settled: u64,
        head: u64,
        format: &'static Format,
        limit: BatchLimit,
        last: &LastRun,
    ) -> Result<Option<Run>, Lost> {
        let held = self.held.read();
        if held.loss.concerns(after, settled) {
            return Err(Lost);
        }
        let index = first_after(&held.entries, after);
        let visible = || held.entries.range(index..).map(|entry| &**entry).take_while(|entry| entry.offset() <= head);
        let mut entries = visible();
        Ok(match (entries.next(), entries.next()) {
            (Some(first), Some(_)) => {
                last.get(RunKey { format, first: first.offset(), head, limit }, || Run::of(visible(), format, limit))
            }
            _ => Run::of(visible(), format, limit),
        })
    }
}

/// The index of the first entry after an offset. Most readers are near the end, so it looks there first.
fn first_after(entries: &VecDeque<Arc<Entry>>, after: u64) -> usize {
    match entries.iter().rev().take(4).position(|entry| entry.offset() <= after) {
        Some(newer) => entries.len() - newer,
        None => entries.partition_point(|entry| entry.offset() <= after),
    }
}
