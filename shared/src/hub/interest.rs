//! One topic or pattern that a subscriber follows.

use std::collections::vec_deque::Iter;
use std::sync::Arc;

use parking_lot::RwLock;

use super::entry::Entry;
use super::pattern_group::PatternGroup;
use super::progress::Progress;
use super::registry::Registry;
use super::slots::Seat;
use super::topic_history::TopicHistory;
use super::window::Unreadable;
use crate::topic::{Topic, TopicFilter};

/// One topic or pattern that a subscriber follows, and its place among those to be woken.
pub(crate) enum Interest {
    Topic(Seat, Arc<TopicHistory>),
    Pattern(Seat, Arc<PatternGroup>),
}

impl Interest {
    /// The interest in the topic or pattern of a filter, which the registry keeps.
    pub(crate) fn new(registry: &Registry, filter: &TopicFilter) -> Self {
        const KEPT: &str = "the guard keeps what was opened";
        match filter {
            TopicFilter::Exact(topic) => {
                let topic = Arc::clone(registry.topic(topic).expect(KEPT));
                Self::Topic(topic.slots.join(), topic)
            }
            TopicFilter::Pattern(pattern) => {
                let group = Arc::clone(registry.pattern(pattern).expect(KEPT));
                Self::Pattern(group.slots.join(), group)
            }
        }
    }

    pub(crate) fn filter(&self) -> TopicFilter {
        match self {
            Self::Topic(_, topic) => topic.topic.clone().into(),
            Self::Pattern(_, group) => TopicFilter::Pattern(group.pattern.clone()),
        }
    }

    pub(crate) fn seat(&self) -> &Seat {
        match self {
            Self::Topic(seat, _) | Self::Pattern(seat, _) => seat,
        }
    }

    /// The topic, unless it is a pattern.
    pub(crate) fn topic(&self) -> Option<&TopicHistory> {
        match self {
            Self::Topic(_, topic) => Some(topic),
            Self::Pattern(..) => None,
        }
    }

    pub(crate) fn matches(&self, topic: &Topic) -> bool {
        match self {
            Self::Topic(_, exact) => exact.topic == *topic,
            Self::Pattern(_, group) => group.pattern.matches(topic),
        }
    }

    /// The number of the pattern's group, or 0.
    pub(crate) fn group(&self) -> u64 {
        match self {
            Self::Topic(..) => 0,
            Self::Pattern(_, group) => group.number,
        }
    }

    /// The offset of the newest message there has been.
    pub(crate) fn last(&self) -> u64 {
        match self {
            Self::Topic(_, topic) => topic.last(),
            Self::Pattern(_, group) => group.last(),
        }
    }

    /// The offset through which messages may be gone that concern a reader, or `None`.
    pub(crate) fn lost_through(&self, progress: Progress) -> Option<u64> {
        match self {
            Self::Topic(_, topic) => topic.lost_through(progress),
            Self::Pattern(_, group) => group.lost_through(progress),
        }
    }

    /// As [`super::window::Window::read`].
    pub(crate) fn read<R>(
        &self,
        progress: Progress,
        head: u64,
        read: impl FnOnce(Iter<'_, Arc<Entry>>) -> R,
    ) -> Result<R, Unreadable> {
        match self {
            Self::Topic(_, topic) => topic.read(progress, head, read),
            Self::Pattern(_, group) => group.read(progress, head, read),
        }
    }

    /// Gives up the place. The registry drops the topic or pattern if it is no longer used.
    pub(crate) fn leave(self, registry: &RwLock<Registry>) {
        match self {
            Self::Topic(seat, topic) => {
                drop(seat);
                if topic.is_unused() {
                    registry.write().close_topic_if_unused(&topic.topic);
                }
            }
            Self::Pattern(seat, group) => {
                drop(seat);
                if group.slots.is_empty() {
                    registry.write().close_pattern_if_unused(&group.pattern);
                }
            }
        }
    }
}
