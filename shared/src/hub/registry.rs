//! Which topics and patterns are kept: those with messages or subscribers.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::history::{Loss, TopicHistory};
use super::pattern::PatternGroup;
use super::slots::Slots;
use crate::topic::{Pattern, Topic, TopicFilter};

#[derive(Default)]
pub(crate) struct Registry {
    topics: HashMap<Topic, Arc<TopicHistory>>,
    patterns: HashMap<Pattern, Arc<PatternGroup>>,
    forgotten: Forgotten,
}

impl Registry {
    pub(crate) fn topics(&self) -> usize {
        self.topics.len()
    }

    pub(crate) fn topic(&self, topic: &Topic) -> Option<&Arc<TopicHistory>> {
        self.topics.get(topic)
    }

    pub(crate) fn pattern(&self, pattern: &Pattern) -> Option<&Arc<PatternGroup>> {
        self.patterns.get(pattern)
    }

    pub(crate) fn has(&self, filter: &TopicFilter) -> bool {
        match filter {
            TopicFilter::Exact(topic) => self.topics.contains_key(topic),
            TopicFilter::Pattern(pattern) => self.patterns.contains_key(pattern),
        }
    }

    pub(crate) fn open(&mut self, filter: &TopicFilter) {
        if self.has(filter) {
            return;
        }
        match filter {
            TopicFilter::Exact(topic) => self.open_topic(topic),
            TopicFilter::Pattern(pattern) => self.open_pattern(pattern),
        }
    }

    fn open_topic(&mut self, name: &Topic) {
        let topic = Arc::new(TopicHistory::new(name.clone(), self.forgotten.loss(name)));
        for group in self.patterns.values().filter(|group| group.pattern.matches(name)) {
            group.matching.write().topics.insert(name.clone(), Arc::clone(&topic));
            topic.patterns.write().push(Arc::clone(group));
        }
        self.topics.insert(name.clone(), topic);
    }

    fn open_pattern(&mut self, pattern: &Pattern) {
        let matching = self.topics.iter().filter(|(name, _)| pattern.matches(name));
        let matching = matching.map(|(name, topic)| (name.clone(), Arc::clone(topic))).collect();
        let group = Arc::new(PatternGroup::new(pattern.clone(), matching, self.forgotten.all()));
        for topic in group.matching.read().topics.values() {
            topic.patterns.write().push(Arc::clone(&group));
        }
        self.patterns.insert(pattern.clone(), group);
    }

    /// Where everyone waits who follows anything.
    pub(crate) fn slots(&self) -> Vec<Arc<Slots>> {
        let topics = self.topics.values().map(|topic| Arc::clone(&topic.slots));
        topics.chain(self.patterns.values().map(|group| Arc::clone(&group.slots))).collect()
    }

    /// Has everything up to an offset taken for lost, of every topic there is or will be.
    pub(crate) fn lose(&mut self, loss: Loss) {
        self.topics.values().for_each(|topic| topic.lose(loss));
        self.patterns.values().for_each(|group| group.lose(loss));
        self.forgotten.everywhere = self.forgotten.everywhere.with(loss);
    }

    /// Has everything of a topic up to an offset taken for lost.
    pub(crate) fn lose_in(&mut self, name: &Topic, loss: Loss) {
        if let Some(topic) = self.topics.get(name) {
            topic.lose(loss);
            return;
        }
        self.forgotten.remember(name, loss);
        self.patterns.values().filter(|group| group.pattern.matches(name)).for_each(|group| group.lose(loss));
    }

    /// Drops a topic that holds no message and has no subscriber of its own.
    pub(crate) fn close_topic_if_unused(&mut self, name: &Topic) {
        let Some(topic) = self.topics.get(name).filter(|topic| topic.is_unused()).cloned() else { return };
        self.topics.remove(name);
        self.forgotten.remember(name, topic.loss());
        for group in topic.patterns.write().drain(..) {
            group.forget(&topic);
        }
    }

    /// Drops a pattern that nobody follows.
    pub(crate) fn close_pattern_if_unused(&mut self, pattern: &Pattern) {
        let Some(group) = self.patterns.get(pattern).filter(|group| group.slots.is_empty()).cloned() else { return };
        self.patterns.remove(pattern);
        for (_, topic) in group.matching.write().topics.drain() {
            topic.patterns.write().retain(|other| !Arc::ptr_eq(other, &group));
        }
    }
}

/// What the topics that are no longer kept have lost.
///
/// A cursor from before must still be told of a gap, but a topic that nobody uses may cost nothing; so all of them share
/// a fixed number of marks. Two topics on one mark can make a gap be told where nothing was missed, never the reverse.
struct Forgotten {
    marks: Box<[Loss; Self::MARKS]>,
    /// What every topic has lost, those that have never been kept too.
    everywhere: Loss,
}

impl Forgotten {
    const MARKS: usize = 1024;

    fn index(topic: &Topic) -> usize {
        let mut hasher = DefaultHasher::new();
        topic.hash(&mut hasher);
        hasher.finish() as usize % Self::MARKS
    }

    fn remember(&mut self, topic: &Topic, loss: Loss) {
        let mark = &mut self.marks[Self::index(topic)];
        *mark = mark.with(loss);
    }

    fn loss(&self, topic: &Topic) -> Loss {
        self.marks[Self::index(topic)].with(self.everywhere)
    }

    fn all(&self) -> Loss {
        self.marks.iter().copied().fold(self.everywhere, Loss::with)
    }
}

impl Default for Forgotten {
    fn default() -> Self {
        Self { marks: Box::new([Loss::default(); Self::MARKS]), everywhere: Loss::default() }
    }
}
