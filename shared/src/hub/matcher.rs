//! The comparison of messages with what a subscriber follows.

use super::interest::Interest;
use super::trie::PatternTrie;
use crate::topic::Topic;

/// The number of interests that are compared one by one. Of more, a trie is made first.
const FEW: usize = 8;

/// The comparison of messages with what a subscriber follows, for a search through many of them.
pub(crate) enum Matcher<'a> {
    Each(&'a [Interest]),
    Together(PatternTrie<()>),
}

impl<'a> Matcher<'a> {
    pub(crate) fn new(interests: &'a [Interest]) -> Self {
        if interests.len() <= FEW {
            return Self::Each(interests);
        }
        let mut trie = PatternTrie::default();
        interests.iter().for_each(|interest| trie.insert(interest.name(), ()));
        Self::Together(trie)
    }

    pub(crate) fn matches(&self, topic: &Topic) -> bool {
        match self {
            Self::Each(interests) => interests.iter().any(|interest| interest.matches(topic)),
            Self::Together(trie) => trie.matches(topic),
        }
    }
}
