//! All messages that a history holds.

use std::collections::vec_deque::Iter;
use std::sync::Arc;

use super::entry::Entry;
use super::loss::{Loss, Losses};
use super::offset_queue::{AtOffset, OffsetQueue};

/// The number of slots that are searched under one lock, so that the appender is not kept waiting.
const SECTION: usize = 4096;

/// All messages that a history holds, of all topics, in order of offset.
///
/// A message that is evicted leaves a hole, unless it is the oldest.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    slots: OffsetQueue<Slot>,
    holes: usize,
    /// The offset of the newest message there has been.
    last: u64,
    losses: Losses,
}

/// A place in the ring: a message, or a hole.
#[derive(Debug)]
pub(crate) struct Slot {
    offset: u64,
    entry: Option<Arc<Entry>>,
}

impl Slot {
    /// The message, unless it is a hole.
    pub(crate) fn entry(&self) -> Option<&Arc<Entry>> {
        self.entry.as_ref()
    }
}

impl AtOffset for Slot {
    fn offset(&self) -> u64 {
        self.offset
    }
}

impl Ring {
    /// The number of messages.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.holes
    }

    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// The oldest message. The first slot is never a hole.
    pub(crate) fn oldest(&self) -> Option<&Arc<Entry>> {
        self.slots.front().and_then(|slot| slot.entry.as_ref())
    }

    pub(crate) fn push(&mut self, entry: Arc<Entry>) {
        self.last = entry.offset();
        self.slots.push(Slot { offset: self.last, entry: Some(entry) });
    }

    /// The losses of all topics there have been.
    pub(crate) fn losses(&self) -> &Losses {
        &self.losses
    }

    /// Notes a loss, of one topic or of all.
    pub(crate) fn lose(&mut self, loss: Loss) {
        self.losses.add(loss);
    }

    /// Removes the message that an eviction takes, which is a loss.
    pub(crate) fn evict(&mut self, loss: Loss) {
        self.lose(loss);
        self.remove(loss.through);
    }

    fn remove(&mut self, offset: u64) {
        let Some(slot) = self.slots.get_mut(offset) else { return };
        if slot.entry.take().is_some() {
            self.holes += 1;
        }
        while self.slots.front().is_some_and(|slot| slot.entry.is_none()) {
            self.slots.pop_front();
            self.holes -= 1;
        }
        if self.holes > self.slots.len() / 2 {
            self.slots.retain(|slot| slot.entry.is_some());
            self.holes = 0;
        }
    }

    /// The slots after an offset, up to another.
    pub(crate) fn range(&self, after: u64, through: u64) -> Iter<'_, Slot> {
        self.slots.range(after, through)
    }

    /// Returns how far a reader may search under one lock: to `head`, or less if that is too far.
    pub(crate) fn section(&self, after: u64, head: u64) -> u64 {
        self.slots.range(after, head).nth(SECTION).map_or(head, |slot| slot.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cursor::{Cursor, Epoch};
    use crate::message::Message;
    use crate::timestamp::Timestamp;
    use crate::topic::Topic;

    fn entry(offset: u64) -> Arc<Entry> {
        let id = Cursor { epoch: Epoch::new(1), offset };
        let (topic, at) = (Topic::default(), Timestamp::from_millis(0));
        Arc::new(Entry::new(Message { id, topic, text: "".into(), event: None, at, traceparent: None }))
    }

    fn offsets(ring: &Ring, after: u64, through: u64) -> Vec<u64> {
        ring.range(after, through).filter_map(Slot::entry).map(|entry| entry.offset()).collect()
    }

    #[test]
    fn a_slot_is_small() {
        assert_eq!(size_of::<Slot>(), 16);
    }

    #[test]
    fn whatever_is_removed_the_rest_is_found_in_order() {
        let mut ring = Ring::default();
        let mut held = Vec::new();
        for offset in (1..3000).filter(|offset| offset % 3 != 0) {
            ring.push(entry(offset));
            held.push(offset);
            if fastrand::u8(..) < 200 {
                let gone = held.remove(fastrand::usize(..held.len()));
                ring.remove(gone);
                ring.remove(gone);
            }
            let (after, through) = (fastrand::u64(..offset + 2), fastrand::u64(..offset + 2));
            let expected: Vec<u64> = held.iter().copied().filter(|held| *held > after && *held <= through).collect();
            assert_eq!(offsets(&ring, after, through), expected);
            assert_eq!(ring.oldest().map(|entry| entry.offset()), held.first().copied());
            assert_eq!((ring.len(), ring.last()), (held.len(), offset));
            assert!(ring.slots.len() <= 2 * held.len() + 1, "{} slots for {}", ring.slots.len(), held.len());
        }
    }

    #[test]
    fn a_section_ends_at_the_head_or_earlier() {
        let mut ring = Ring::default();
        let count = 2 * SECTION as u64 + 10;
        (1..=count).for_each(|offset| ring.push(entry(offset)));
        let first = ring.section(0, count);
        let second = ring.section(first, count);
        assert!(first < second && second < count);
        assert_eq!(ring.section(second, count + 5), count + 5);
        assert_eq!(ring.section(0, 7), 7);
    }
}
