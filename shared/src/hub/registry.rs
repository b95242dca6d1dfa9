//! The topics and patterns that are kept: those with messages or subscribers.

use std::sync::Arc;

use indexmap::IndexMap;

use super::forgotten::Forgotten;
use super::loss::{Loss, Losses};
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
    /// In an order of its own, so that a long search can be interrupted: see [`Registry::topics_below`].
    topics: IndexMap<Topic, Arc<TopicHistory>>,
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

    /// Returns whether these topics can be kept too, where there may be `most`. Those that are kept already always can.
    pub(crate) fn has_room_for<'a>(&self, topics: impl IntoIterator<Item = &'a Topic>, most: usize) -> bool {
        let new = topics.into_iter().filter(|topic| !self.topics.contains_key(*topic)).count();
        new == 0 || self.topics.len() + new <= most
    }

    /// The number of topics.
    pub(crate) fn topics(&self) -> usize {
        self.topics.len()
    }

    /// The topics whose indexes are below one, with their indexes, from the highest on. Whoever goes on below the last index that was
    /// seen, though topics come and go meanwhile, has in the end seen every topic that was there all the time.
    pub(crate) fn topics_below(&self, index: usize) -> impl Iterator<Item = (usize, &Arc<TopicHistory>)> {
        // A new topic gets the highest index; where one is dropped, the last moves to its index, which is a lower one.
        let end = index.min(self.topics.len());
        self.topics[..end].values().enumerate().rev()
    }

    /// The losses of all topics that are no longer kept.
    pub(crate) fn forgotten(&self) -> Losses {
        self.forgotten.all().collect()
    }

    pub(crate) fn topic(&self, topic: &Topic) -> Option<&Arc<TopicHistory>> {
        self.topics.get(topic)
    }

    pub(crate) fn pattern(&self, pattern: &Pattern) -> Option<&Arc<PatternGroup>> {
        self.patterns.get(pattern)
    }

    /// Calls `visit` with the group of each pattern.
    pub(crate) fn for_each_pattern(&self, mut visit: impl FnMut(&Arc<PatternGroup>)) {
        self.patterns.for_each(&mut visit);
    }

    /// The groups whose earlier losses are not known.
    pub(crate) fn unsurveyed(&self) -> Vec<Arc<PatternGroup>> {
        let mut groups = Vec::new();
        self.patterns.for_each(&mut |group| {
            if group.past().is_none() {
                groups.push(Arc::clone(group));
            }
        });
        groups
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
                self.patterns.insert(pattern.as_str(), Arc::new(group));
                self.followed += 1;
            }
        }
    }

    /// The group of a pattern. Comparing all topics with it would keep everyone waiting, so it counts everything so far as
    /// older than its window, and its earlier losses are left to a survey.
    fn group(&self, pattern: &Pattern, ring: &Ring, usage: &Arc<Usage>) -> PatternGroup {
        let lost = ring.losses().iter().map(|loss| loss.through).max().unwrap_or_default();
        let opened = ring.last().max(lost);
        let window = SharedWindow::new(opened, ring.last(), Losses::default());
        let group = PatternGroup::new(pattern.clone(), self.groups, window, opened, Arc::clone(usage));
        if pattern.matches_everything() {
            group.set_past(ring.losses().iter());
        }
        group
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
            self.topics.swap_remove(name);
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
