//! The handle by which the history is followed.

use std::fmt;
use std::mem;
use std::sync::Arc;

use parking_lot::RwLock;

use super::appender::Appender;
use super::archive::Archive;
use super::history::History;
use super::limits::HistoryLimits;
use super::shared_window::SharedWindow;
use super::slots::Slots;
use super::subscriber::Subscriber;
use super::topic_history::TopicHistory;
use super::wake::Wake;
use crate::cursor::{Cursor, Epoch, Position};
use crate::topic::{Topic, TopicFilter};

/// The number of topics that are looked at under one lock.
const SLICE: usize = 1024;

/// The memory that a topic takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicUse {
    /// The topic.
    pub topic: Topic,
    /// Its messages in memory.
    pub messages: usize,
    /// Their bytes, without encodings.
    pub bytes: usize,
    /// The subscribers that name it, not by a pattern.
    pub followers: usize,
}

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

    /// Has reads list the messages that are part of recorded traces, from here on.
    pub fn list_traced(&self) {
        self.history().list_traced();
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

    /// The number of messages that memory holds.
    pub fn messages(&self) -> usize {
        self.history().ring.read().len()
    }

    /// The limits of what memory holds.
    pub fn limits(&self) -> HistoryLimits {
        self.history().limits
    }

    /// The memory that is used, in bytes.
    pub fn bytes(&self) -> usize {
        self.history().usage.bytes()
    }

    /// The topics whose messages take the most memory, the largest first.
    pub fn largest_topics(&self, most: usize) -> Vec<TopicUse> {
        let mut largest: Vec<TopicUse> = Vec::new();
        self.for_each_topic(|topic| {
            let (messages, bytes) = (topic.len(), topic.bytes());
            if messages > 0 && (largest.len() < most || largest.last().is_some_and(|last| last.bytes < bytes)) {
                largest.truncate(most.saturating_sub(1));
                let place = largest.partition_point(|other| other.bytes >= bytes);
                let followers = topic.slots.len();
                largest.insert(place, TopicUse { topic: topic.topic.clone(), messages, bytes, followers });
            }
        });
        largest
    }

    /// The number of messages of one topic or pattern that memory holds, and that the slowest of their subscribers has not read.
    pub fn lag(&self) -> usize {
        let lag = |slots: &Slots, window: &SharedWindow| {
            let position = slots.farthest_behind().filter(|position| *position < window.last());
            position.map_or(0, |position| window.ask(|window| window.count_after(position)))
        };
        let mut slowest = 0;
        self.for_each_topic(|topic| slowest = slowest.max(lag(&topic.slots, &topic.window)));
        let history = self.history();
        history.registry.read().for_each_pattern(|group| slowest = slowest.max(lag(&group.slots, &group.window)));
        slowest
    }

    /// Calls `visit` with each topic that is there all the time.
    fn for_each_topic(&self, mut visit: impl FnMut(&TopicHistory)) {
        let history = self.history();
        let mut below = usize::MAX;
        while below > 0 {
            // In slices, so that publishers get in between.
            let registry = history.registry.read();
            let topics = registry.topics_below(below).take(SLICE);
            below = 0;
            for (index, topic) in topics {
                below = index;
                visit(topic);
            }
        }
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
