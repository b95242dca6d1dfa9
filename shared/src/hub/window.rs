//! The newest entries of a topic or pattern, and what is lost of it.

use std::collections::vec_deque::Iter;
use std::sync::Arc;

use super::entry::Entry;
use super::loss::{Loss, Losses};
use super::offset_queue::OffsetQueue;
use super::progress::Progress;

/// The newest entries of a topic or pattern, and what is lost of it.
///
/// A shared window is behind a lock, so that checking for a loss and reading are one step.
#[derive(Debug, Default)]
pub(crate) struct Window {
    entries: OffsetQueue<Arc<Entry>>,
    /// The window holds every kept message after this offset.
    complete_after: u64,
    losses: Losses,
}

/// The reason why a window cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Messages that concern the reader may be gone.
    Lost,
    /// There may be messages for the reader that are older than the window.
    Incomplete,
}

impl Window {
    pub(crate) fn new(complete_after: u64, losses: Losses) -> Self {
        Self { entries: OffsetQueue::default(), complete_after, losses }
    }

    pub(crate) fn losses(&self) -> &Losses {
        &self.losses
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn push(&mut self, entry: Arc<Entry>) {
        self.entries.push(entry);
    }

    /// Drops the oldest entries until this number is left. The window no longer reaches back to them.
    pub(crate) fn narrow_to(&mut self, count: usize) {
        while self.entries.len() > count {
            if let Some(entry) = self.entries.pop_front() {
                self.complete_after = entry.offset();
            }
        }
    }

    /// The oldest entry.
    pub(crate) fn oldest(&self) -> Option<&Arc<Entry>> {
        self.entries.front()
    }

    /// The offset of the oldest entry after an offset.
    pub(crate) fn oldest_after(&self, offset: u64) -> Option<u64> {
        self.entries.range(offset, u64::MAX).next().map(|entry| entry.offset())
    }

    /// The number of entries after an offset.
    pub(crate) fn count_after(&self, offset: u64) -> usize {
        self.entries.range(offset, u64::MAX).len()
    }

    /// Removes an entry that is evicted, which is a loss.
    pub(crate) fn evict(&mut self, loss: Loss) -> Option<Arc<Entry>> {
        self.losses.add(loss);
        self.entries.remove(loss.through)
    }

    /// Notes a loss, whether the messages are held or not.
    pub(crate) fn lose(&mut self, loss: Loss) {
        self.losses.add(loss);
    }

    /// Returns the result of `read`, which is called with the entries that a reader has not read, up to `head`.
    pub(crate) fn read<R>(
        &self,
        progress: Progress,
        head: u64,
        read: impl FnOnce(Iter<'_, Arc<Entry>>) -> R,
    ) -> Result<R, Unreadable> {
        if self.losses.concerning(progress).is_some() {
            return Err(Unreadable::Lost);
        }
        if progress.position < self.complete_after {
            return Err(Unreadable::Incomplete);
        }
        Ok(read(self.entries.range(progress.position, head)))
    }
}
