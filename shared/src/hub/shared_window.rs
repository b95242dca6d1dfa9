//! A window that is written by the appender and read by subscribers.

use std::collections::vec_deque::Iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use super::entry::Entry;
use super::loss::{Loss, Losses};
use super::progress::Progress;
use super::window::{Unreadable, Window};

/// A window behind a lock, and the offset of its newest message or loss.
pub(crate) struct SharedWindow {
    /// It is an atomic, so that checking for news takes no lock.
    last: AtomicU64,
    window: RwLock<Window>,
}

impl SharedWindow {
    /// An empty window, which holds every kept message after `complete_after`. `last` is the offset of the newest message
    /// or loss so far.
    pub(crate) fn new(last: u64, complete_after: u64, losses: Losses) -> Self {
        Self { last: AtomicU64::new(last), window: RwLock::new(Window::new(complete_after, losses)) }
    }

    /// The offset of the newest message or loss.
    pub(crate) fn last(&self) -> u64 {
        self.last.load(Ordering::Acquire)
    }

    /// Returns the result of `ask`, which is called with the window.
    pub(crate) fn ask<R>(&self, ask: impl FnOnce(&Window) -> R) -> R {
        ask(&self.window.read())
    }

    /// Returns the result of `change`, which is called with the window.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut Window) -> R) -> R {
        change(&mut self.window.write())
    }

    /// Adds a message, and drops the oldest beyond `most`.
    pub(crate) fn push(&self, entry: Arc<Entry>, most: usize) {
        let offset = entry.offset();
        self.change(|window| {
            window.push(entry);
            window.narrow_to(most);
        });
        self.last.fetch_max(offset, Ordering::AcqRel);
    }

    /// Notes that everything up to an offset may be gone, which is news for the subscribers.
    pub(crate) fn lose(&self, loss: Loss) {
        self.change(|window| window.lose(loss));
        self.last.fetch_max(loss.through, Ordering::AcqRel);
    }

    /// The offset through which messages may be gone that concern a reader, or `None`.
    pub(crate) fn lost_through(&self, progress: Progress) -> Option<u64> {
        self.ask(|window| window.losses().concerning(progress))
    }

    /// As [`Window::read`].
    pub(crate) fn read<R>(
        &self,
        progress: Progress,
        head: u64,
        read: impl FnOnce(Iter<'_, Arc<Entry>>) -> R,
    ) -> Result<R, Unreadable> {
        self.ask(|window| window.read(progress, head, read))
    }
}
