//! The handle by which the history is followed.

use std::fmt;
use std::mem;
use std::sync::Arc;

use parking_lot::RwLock;

use super::appender::Appender;
use super::archive::Archive;
use super::history::History;
use super::limits::HistoryLimits;
use super::subscriber::Subscriber;
use super::wake::Wake;
use crate::cursor::{Cursor, Epoch, Position};
use crate::topic::{Topic, TopicFilter};

/// A handle to the shared history. Cloning it makes another handle to the same one.
#[derive(Clone)]
pub struct Hub {
    current: Arc<RwLock<Arc<History>>>,
}

impl Hub {
    /// An empty hub, and the appender that fills it.
    pub fn new(epoch: Epoch, limits: HistoryLimits) -> (Self, Appender) {
        Self::with_archive(epoch, limits, None)
    }

    /// As [`Hub::new`], with an archive that holds messages for longer than memory does.
    pub fn with_archive(epoch: Epoch, limits: HistoryLimits, archive: Option<Arc<dyn Archive>>) -> (Self, Appender) {
        let history = Arc::new(History::new(epoch, limits, archive));
        (Self { current: Arc::new(RwLock::new(Arc::clone(&history))) }, Appender::new(history))
    }

    /// Puts the history of another appender, one that [`Appender::renew`] made, in the place of the present one. Those who
    /// follow the present one move over, and report a gap.
    pub fn replace(&self, appender: &Appender) -> Wake {
        let successor = appender.history();
        let before = mem::replace(&mut *self.current.write(), Arc::clone(&successor));
        // An error would mean that a history is replaced twice, and this one is no longer current.
        let _ = before.successor.set(successor);
        Wake::all(&before.registry.read())
    }

    /// The position after everything published so far.
    pub fn head(&self) -> Cursor {
        let history = self.history();
        history.cursor(history.head())
    }

    /// Returns whether a cursor is of this history and, as far as is known, not after its end.
    pub fn knows(&self, cursor: Cursor) -> bool {
        self.history().knows(cursor)
    }

    /// Notes that this offset, and all before it, are part of the history of this epoch, though they may not be visible
    /// here yet.
    pub fn extend_horizon(&self, cursor: Cursor) {
        self.history().extend_horizon(cursor);
    }

    /// Follows every topic that one of the filters names, from a position on.
    ///
    /// Nothing published after the call is missed: the subscriber is in place before the position is taken.
    pub fn subscribe(&self, filters: &[TopicFilter], from: Position) -> Subscriber {
        let history = self.history();
        let archived = history.archive.is_some();
        Subscriber::new(history, filters, from, archived)
    }

    /// As [`Hub::subscribe`], but what memory does not hold is lost to this subscriber, even where an archive has it: with
    /// topics, not patterns, it never has to wait for what it reads.
    pub fn subscribe_in_memory(&self, filters: &[TopicFilter], from: Position) -> Subscriber {
        Subscriber::new(self.history(), filters, from, false)
    }

    /// Returns whether these topics can be kept too, with messages or followed, where there may be `most`. Those that are kept already
    /// always can.
    pub fn has_room_for<'a>(&self, topics: impl IntoIterator<Item = &'a Topic>, most: usize) -> bool {
        self.history().registry.read().has_room_for(topics, most)
    }

    /// The number of distinct patterns that are followed if these filters are followed too.
    pub fn patterns_with(&self, filters: &[TopicFilter]) -> usize {
        self.history().registry.read().patterns_with(filters)
    }

    /// The number of topics that are kept: those with messages or subscribers.
    pub fn topics(&self) -> usize {
        self.history().registry.read().topics()
    }

    fn history(&self) -> Arc<History> {
        Arc::clone(&self.current.read())
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("head", &self.head()).finish_non_exhaustive()
    }
}
