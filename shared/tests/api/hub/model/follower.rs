//! A subscriber, and the messages that it should get.

use std::collections::BTreeSet;
use std::sync::Arc;

use shared::hub::Subscriber;
use shared::topic::{Topic, TopicFilter};

use crate::hub::waking::Bell;

pub(super) struct Published {
    pub(super) offset: u64,
    /// `None` for what never came: it can have been of any.
    pub(super) topic: Option<Topic>,
    pub(super) at: u64,
    pub(super) held: bool,
    /// It may be gone, be it held or not.
    pub(super) lost: bool,
}

pub(super) struct Follower {
    pub(super) subscriber: Subscriber,
    pub(super) filters: Vec<TopicFilter>,
    pub(super) bell: Arc<Bell>,
    pub(super) waiting: bool,
    pub(super) position: u64,
    /// Offsets of losses from before, which do not concern a follower that begins at the earliest.
    pub(super) ignored: BTreeSet<u64>,
    /// Messages up to here that were held and counted as lost do not concern it either, as long as they are held.
    pub(super) forgiven: u64,
    pub(super) other_history: bool,
    /// The history that it follows has been replaced, and it does not know yet.
    pub(super) stale: bool,
}

impl Follower {
    fn concerns(&self, message: &Published) -> bool {
        let matches = |filter: &TopicFilter| message.topic.as_ref().is_none_or(|topic| filter.matches(topic));
        message.offset > self.position && self.filters.iter().any(matches)
    }

    pub(super) fn next(&self, all: &[Published]) -> Vec<u64> {
        all.iter().filter(|message| message.held && self.concerns(message)).map(|message| message.offset).collect()
    }

    pub(super) fn missed(&self, all: &[Published]) -> Vec<u64> {
        let is_missed = |message: &&Published| match message.held {
            true => message.lost && message.offset > self.forgiven,
            false => !self.ignored.contains(&message.offset),
        };
        let missed = all.iter().filter(|message| self.concerns(message)).filter(is_missed);
        missed.map(|message| message.offset).collect()
    }

    /// A gap is right: something that it follows is gone, or may be.
    pub(super) fn may_miss(&self, all: &[Published]) -> bool {
        let may_be_gone =
            |message: &Published| message.lost || (!message.held && !self.ignored.contains(&message.offset));
        all.iter().any(|message| self.concerns(message) && may_be_gone(message))
    }

    pub(super) fn has_news(&self, all: &[Published]) -> bool {
        self.other_history || !self.next(all).is_empty() || !self.missed(all).is_empty()
    }
}
