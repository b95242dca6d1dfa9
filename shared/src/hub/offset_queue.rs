//! A queue in order of offset.

use std::collections::VecDeque;
use std::collections::vec_deque::Iter;

/// An item that has an offset.
pub(crate) trait AtOffset {
    /// The offset of the item.
    fn offset(&self) -> u64;
}

/// Items in order of offset. They come at the end and mostly go at the front.
#[derive(Debug)]
pub(crate) struct OffsetQueue<T> {
    items: VecDeque<T>,
}

impl<T> Default for OffsetQueue<T> {
    fn default() -> Self {
        Self { items: VecDeque::new() }
    }
}

impl<T: AtOffset> OffsetQueue<T> {
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn front(&self) -> Option<&T> {
        self.items.front()
    }

    /// All items.
    pub(crate) fn iter(&self) -> Iter<'_, T> {
        self.items.iter()
    }

    /// Adds an item whose offset is greater than those of all others.
    pub(crate) fn push(&mut self, item: T) {
        self.items.push_back(item);
    }

    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let item = self.items.pop_front();
        self.shrink();
        item
    }

    /// Removes the items for which `keep` is false.
    pub(crate) fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        self.items.retain(keep);
        self.shrink();
    }

    /// The item at an offset.
    pub(crate) fn get_mut(&mut self, offset: u64) -> Option<&mut T> {
        let index = self.items.binary_search_by_key(&offset, T::offset).ok()?;
        self.items.get_mut(index)
    }

    /// Removes the item at an offset.
    pub(crate) fn remove(&mut self, offset: u64) -> Option<T> {
        let index = self.items.binary_search_by_key(&offset, T::offset).ok()?;
        let item = self.items.remove(index);
        self.shrink();
        item
    }

    /// The items after an offset, up to another.
    pub(crate) fn range(&self, after: u64, through: u64) -> Iter<'_, T> {
        let (first, end) = (self.count_through(after), self.count_through(through));
        self.items.range(first.min(end)..end)
    }

    /// The number of items up to an offset.
    fn count_through(&self, offset: u64) -> usize {
        // Most readers are near the end, so it is searched first.
        let mut count = self.items.len();
        let near_end = count.saturating_sub(4);
        while count > near_end {
            if self.items[count - 1].offset() <= offset {
                return count;
            }
            count -= 1;
        }
        self.items.partition_point(|item| item.offset() <= offset)
    }

    fn shrink(&mut self) {
        if self.items.len() < self.items.capacity() / 4 {
            self.items.shrink_to(self.items.len() * 2);
        }
    }
}
