//! One topic or pattern that a subscriber follows.

use std::sync::Arc;

use parking_lot::RwLock;

use super::pattern_group::PatternGroup;
use super::progress::Progress;
use super::registry::Registry;
use super::shared_window::SharedWindow;
use super::slots::Seat;
use super::topic_history::TopicHistory;
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

    /// The topic or pattern.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Topic(_, topic) => topic.topic.as_str(),
            Self::Pattern(_, group) => group.pattern.as_str(),
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

    /// The messages of the topic, or the newest that match the pattern.
    pub(crate) fn window(&self) -> &SharedWindow {
        match self {
            Self::Topic(_, topic) => &topic.window,
            Self::Pattern(_, group) => &group.window,
        }
    }

    /// The offset through which messages may be gone that concern a reader, or `None`.
    pub(crate) fn lost_through(&self, progress: Progress) -> Option<u64> {
        self.window().lost_through(progress).max(self.lost_before(progress))
    }

    /// As [`Interest::lost_through`], of what was lost before the pattern was followed.
    pub(crate) fn lost_before(&self, progress: Progress) -> Option<u64> {
        match self {
            Self::Topic(..) => None,
            Self::Pattern(_, group) => group.past().and_then(|past| past.concerning(progress)),
        }
    }

    /// Returns whether it is not known what was lost before the pattern was followed.
    pub(crate) fn needs_survey(&self) -> bool {
        matches!(self, Self::Pattern(_, group) if group.past().is_none())
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
