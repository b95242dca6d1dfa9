//! Messages that many subscribers read together, joined once.

use std::iter::once;
use std::ptr;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::batch::{BatchLimit, Tally};
use super::budget::Budget;
use super::entry::Entry;
use super::format::Format;
use super::joined::Joined;

/// The number of bursts that are kept, for subscribers of several formats and patterns side by side.
const KEPT: usize = 4;

/// Messages that follow on each other, joined.
#[derive(Debug, Clone)]
pub(crate) struct Burst {
    pub(crate) bytes: Bytes,
    /// The offset of the last message.
    pub(crate) last: u64,
    /// There are more than the limit allowed.
    pub(crate) more: bool,
    /// The messages, counted as if none was replayed.
    pub(crate) tally: Tally,
}

/// The identity of a burst. Messages neither change nor move, so two bursts with the same key are the same.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BurstKey {
    pub(crate) format: &'static Format,
    pub(crate) limit: BatchLimit,
    /// The number of the pattern's group. 0 for a topic: the first offset identifies it.
    pub(crate) group: u64,
    /// The offset of the first message.
    pub(crate) first: u64,
    /// The offset that was read up to.
    pub(crate) through: u64,
}

/// The latest bursts, for the other subscribers that were woken for the same messages. They are few, so they take no more
/// memory than a few reads.
#[derive(Default)]
pub(crate) struct Bursts {
    oldest_first: Mutex<Vec<(BurstKey, Burst)>>,
}

impl BurstKey {
    fn is(&self, other: &Self) -> bool {
        let Self { format, limit, group, first, through } = *self;
        ptr::eq(format, other.format)
            && (limit, group, first, through) == (other.limit, other.group, other.first, other.through)
    }
}

impl Bursts {
    /// Joins entries, unless another subscriber has just read the same. `None` if there are no entries. `key` is called with the
    /// offset of the first one.
    pub(crate) fn read<'a>(
        &self,
        mut entries: impl Iterator<Item = &'a Arc<Entry>>,
        lists_traced: bool,
        key: impl FnOnce(u64) -> BurstKey,
    ) -> Option<Burst> {
        let first = entries.next()?;
        let key = key(first.offset());
        let Some(second) = entries.next() else {
            let tally = Tally::of_one(first, lists_traced);
            return Some(Burst { bytes: first.encoded(key.format), last: first.offset(), more: false, tally });
        };
        if let Some((_, burst)) = self.oldest_first.lock().iter().rfind(|(kept, _)| kept.is(&key)) {
            return Some(burst.clone());
        }
        let mut budget = Budget::new(key.format, key.limit, 0, lists_traced);
        let mut joined = Joined::default();
        let all = budget.fill(&mut joined, once(first).chain(once(second)).chain(entries));
        let last = budget.last().unwrap_or(first.offset());
        let burst = Burst { bytes: joined.into(), last, more: !all, tally: budget.into_tally() };
        self.keep(key, burst.clone());
        Some(burst)
    }

    fn keep(&self, key: BurstKey, burst: Burst) {
        let mut kept = self.oldest_first.lock();
        if kept.len() == KEPT {
            kept.remove(0);
        }
        kept.push((key, burst));
    }
}
