//! The topics and patterns that are kept: those with messages or subscribers.

use std::collections::HashMap;
use std::sync::Arc;

use super::forgotten::Forgotten;
use super::loss::Loss;
use super::pattern_group::PatternGroup;
use super::ring::Ring;
use super::shared_window::SharedWindow;
use super::slots::Slots;
use super::topic_history::TopicHistory;
use super::trie::PatternTrie;
use super::usage::Usage;
use crate::topic::{Pattern, Topic, TopicFilter};

/// The topics and patterns that are kept: those with messages or subscribers.
#[derive(Default)]
pub(crate) struct Registry {
    topics: HashMap<Topic, Arc<TopicHistory>>,
    patterns: PatternTrie<Arc<PatternGroup>>,
    /// The number of patterns.
    followed: usize,
    /// The number of groups that there have been.
    groups: u64,
    forgotten: Forgotten,
}

impl Registry {
    /// The number of distinct patterns that are followed if these filters are followed too.
    pub(crate) fn patterns_with(&self, filters: &[TopicFilter]) -> usize {
        let is_new = |filter: &&TopicFilter| matches!(filter, TopicFilter::Pattern(_)) && !self.has(filter);
        self.followed + filters.iter().filter(is_new).count()
    }

    /// The number of topics.
    pub(crate) fn topics(&self) -> usize {
        self.topics.len()
    }

    pub(crate) fn topic(&self, topic: &Topic) -> Option<&Arc<TopicHistory>> {
        self.topics.get(topic)
    }

    pub(crate) fn pattern(&self, pattern: &Pattern) -> Option<&Arc<PatternGroup>> {
        self.patterns.get(pattern)
    }

    /// Calls `visit` with the group of each pattern that matches a topic.
    pub(crate) fn for_each_group(&self, topic: &Topic, mut visit: impl FnMut(&Arc<PatternGroup>)) {
        self.patterns.for_each_match(topic, &mut visit);
    }

    pub(crate) fn has(&self, filter: &TopicFilter) -> bool {
        match filter {
            TopicFilter::Exact(topic) => self.topics.contains_key(topic),
            TopicFilter::Pattern(pattern) => self.patterns.get(pattern).is_some(),
        }
    }

    /// Keeps the topic or pattern of a filter, for a history with this ring.
    pub(crate) fn open(&mut self, filter: &TopicFilter, ring: &Ring, usage: &Arc<Usage>) {
        if self.has(filter) {
            return;
        }
        match filter {
            TopicFilter::Exact(topic) => {
                let losses = self.forgotten.losses(topic).into_iter().collect();
                self.topics.insert(topic.clone(), Arc::new(TopicHistory::new(topic.clone(), losses)));
            }
            TopicFilter::Pattern(pattern) => {
                self.groups += 1;
                let group = self.group(pattern, ring, usage);
                self.patterns.insert(pattern, Arc::new(group));
                self.followed += 1;
            }
        }
    }

    fn group(&self, pattern: &Pattern, ring: &Ring, usage: &Arc<Usage>) -> PatternGroup {
        let new = |last, losses| {
            let window = SharedWindow::new(last, ring.last(), losses);
            PatternGroup::new(pattern.clone(), self.groups, window, Arc::clone(usage))
        };
        // The usual pattern, which would take the longest: there is a topic for each of its matches.
        if pattern.matches_everything() {
            let lost = ring.losses().iter().map(|loss| loss.through).max().unwrap_or_default();
            return new(ring.last().max(lost), ring.losses().clone());
        }
        let matching = || self.topics.values().filter(|topic| pattern.matches(&topic.topic));
        let last = matching().map(|topic| topic.window.last()).max().unwrap_or_default();
        let losses = matching().flat_map(|topic| topic.losses()).chain(self.forgotten.all()).collect();
        new(last, losses)
    }

    /// The slots of all subscribers.
    pub(crate) fn slots(&self) -> Vec<Arc<Slots>> {
        let mut slots: Vec<_> = self.topics.values().map(|topic| Arc::clone(&topic.slots)).collect();
        self.patterns.for_each(&mut |group| slots.push(Arc::clone(&group.slots)));
        slots
    }

    /// Notes a loss of every topic there is or will be.
    pub(crate) fn lose(&mut self, loss: Loss) {
        self.topics.values().for_each(|topic| topic.window.lose(loss));
        self.patterns.for_each(&mut |group| group.window.lose(loss));
        self.forgotten.add_everywhere(loss);
    }

    /// Notes a loss of one topic.
    pub(crate) fn lose_in(&mut self, name: &Topic, loss: Loss) {
        match self.topics.get(name) {
            Some(topic) => topic.window.lose(loss),
            None => self.forgotten.add(name, loss),
        }
        self.for_each_group(name, |group| group.window.lose(loss));
    }

    /// Drops a topic that holds no message and has no subscriber of its own.
    pub(crate) fn close_topic_if_unused(&mut self, name: &Topic) {
        if let Some(topic) = self.topics.get(name).filter(|topic| topic.is_unused()) {
            topic.losses().into_iter().for_each(|loss| self.forgotten.add(name, loss));
            self.topics.remove(name);
        }
    }

    /// Drops a pattern that nobody follows.
    pub(crate) fn close_pattern_if_unused(&mut self, pattern: &Pattern) {
        if self.patterns.get(pattern).is_some_and(|group| group.slots.is_empty()) {
            self.patterns.remove(pattern);
            self.followed -= 1;
        }
    }
}
