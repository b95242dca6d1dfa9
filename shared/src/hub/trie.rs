//! Patterns by their tokens.

use std::collections::HashMap;

use crate::topic::{Pattern, Topic};

/// Values of patterns, found by a topic that the patterns match. The cost is that of the matches and of the topic's
/// tokens, whatever the number of patterns.
#[derive(Debug)]
pub(crate) struct PatternTrie<T> {
    root: Node<T>,
}

#[derive(Debug)]
struct Node<T> {
    /// The value of the pattern that ends here.
    value: Option<T>,
    /// The value of the pattern that ends here with `>`.
    rest: Option<T>,
    /// The node after `*`.
    any: Option<Box<Node<T>>>,
    /// The nodes after a token.
    tokens: HashMap<Box<str>, Node<T>>,
}

impl<T> Default for PatternTrie<T> {
    fn default() -> Self {
        Self { root: Node::default() }
    }
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { value: None, rest: None, any: None, tokens: HashMap::new() }
    }
}

impl<T> PatternTrie<T> {
    pub(crate) fn get(&self, pattern: &Pattern) -> Option<&T> {
        let mut node = &self.root;
        for token in pattern.as_str().split('.') {
            node = match token {
                ">" => return node.rest.as_ref(),
                "*" => node.any.as_ref()?,
                token => node.tokens.get(token)?,
            };
        }
        node.value.as_ref()
    }

    /// Inserts a pattern, or a topic, which matches itself.
    pub(crate) fn insert(&mut self, filter: &str, value: T) {
        let mut node = &mut self.root;
        for token in filter.split('.') {
            node = match token {
                ">" => {
                    node.rest = Some(value);
                    return;
                }
                "*" => node.any.get_or_insert_default(),
                token => node.tokens.entry(token.into()).or_default(),
            };
        }
        node.value = Some(value);
    }

    /// Removes a pattern and the nodes that no other pattern needs.
    pub(crate) fn remove(&mut self, pattern: &Pattern) {
        self.root.remove(pattern.as_str());
    }

    /// Calls `visit` with the value of each pattern that matches a topic.
    pub(crate) fn for_each_match(&self, topic: &Topic, visit: &mut impl FnMut(&T)) {
        self.root.for_each_match(Some(topic.as_str()), visit);
    }

    /// Returns whether some pattern matches a topic.
    pub(crate) fn matches(&self, topic: &Topic) -> bool {
        self.root.matches(Some(topic.as_str()))
    }

    /// Calls `visit` with every value.
    pub(crate) fn for_each(&self, visit: &mut impl FnMut(&T)) {
        self.root.for_each(visit);
    }
}

impl<T> Node<T> {
    fn is_empty(&self) -> bool {
        self.value.is_none() && self.rest.is_none() && self.any.is_none() && self.tokens.is_empty()
    }

    fn remove(&mut self, pattern: &str) {
        let (token, others) = split(pattern);
        if token == ">" {
            self.rest = None;
            return;
        }
        let next = if token == "*" { self.any.as_deref_mut() } else { self.tokens.get_mut(token) };
        let Some(next) = next else { return };
        match others {
            Some(others) => next.remove(others),
            None => next.value = None,
        }
        if next.is_empty() {
            match token {
                "*" => self.any = None,
                token => drop(self.tokens.remove(token)),
            }
        }
    }

    /// `tokens` is what is left of the topic, at least one token, or `None` at its end.
    fn for_each_match(&self, tokens: Option<&str>, visit: &mut impl FnMut(&T)) {
        let Some(tokens) = tokens else {
            self.value.iter().for_each(visit);
            return;
        };
        self.rest.iter().for_each(&mut *visit);
        let (token, others) = split(tokens);
        if let Some(any) = &self.any {
            any.for_each_match(others, visit);
        }
        if let Some(next) = self.tokens.get(token) {
            next.for_each_match(others, visit);
        }
    }

    /// As [`Node::for_each_match`], up to the first match.
    fn matches(&self, tokens: Option<&str>) -> bool {
        let Some(tokens) = tokens else { return self.value.is_some() };
        let (token, others) = split(tokens);
        self.rest.is_some()
            || self.tokens.get(token).is_some_and(|next| next.matches(others))
            || self.any.as_ref().is_some_and(|any| any.matches(others))
    }

    fn for_each(&self, visit: &mut impl FnMut(&T)) {
        self.value.iter().chain(&self.rest).for_each(&mut *visit);
        self.any.iter().for_each(|any| any.for_each(visit));
        self.tokens.values().for_each(|next| next.for_each(visit));
    }
}

/// The first token, and the others if there are any.
fn split(tokens: &str) -> (&str, Option<&str>) {
    tokens.split_once('.').map_or((tokens, None), |(first, others)| (first, Some(others)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::topic::TopicFilter;

    fn tokens(of: &[&str]) -> String {
        let tokens: Vec<&str> = (0..fastrand::usize(1..4)).map(|_| of[fastrand::usize(..of.len())]).collect();
        tokens.join(".")
    }

    fn pattern() -> Pattern {
        loop {
            let end = if fastrand::bool() { ".>" } else { "" };
            match format!("{}{end}", tokens(&["a", "b", "*"])).parse() {
                Ok(TopicFilter::Pattern(pattern)) => return pattern,
                _ if fastrand::u8(..) < 30 => {
                    let Ok(TopicFilter::Pattern(rest)) = ">".parse() else { panic!("it is a pattern") };
                    return rest;
                }
                _ => {}
            }
        }
    }

    #[test]
    fn it_finds_the_patterns_that_match() {
        let mut trie = PatternTrie::default();
        let mut model = BTreeMap::new();
        for step in 0..5000 {
            let pattern = pattern();
            if fastrand::bool() {
                trie.insert(pattern.as_str(), step);
                model.insert(pattern.as_str().to_owned(), (pattern.clone(), step));
            } else {
                trie.remove(&pattern);
                model.remove(pattern.as_str());
            }
            assert_eq!(trie.get(&pattern), model.get(pattern.as_str()).map(|(_, step)| step));

            let topic: Topic = tokens(&["a", "b", "c"]).parse().unwrap();
            assert_eq!(trie.matches(&topic), model.values().any(|(pattern, _)| pattern.matches(&topic)), "{topic}");
            let (mut found, mut all) = (Vec::new(), Vec::new());
            trie.for_each_match(&topic, &mut |step| found.push(*step));
            trie.for_each(&mut |step| all.push(*step));
            let mut matching: Vec<_> =
                model.values().filter(|(pattern, _)| pattern.matches(&topic)).map(|(_, step)| *step).collect();
            let mut expected: Vec<_> = model.values().map(|(_, step)| *step).collect();
            for list in [&mut found, &mut all, &mut matching, &mut expected] {
                list.sort_unstable();
            }
            assert_eq!((found, all), (matching, expected), "{topic} after {pattern:?}");
        }
        model.values().for_each(|(pattern, _)| trie.remove(pattern));
        assert!(trie.root.is_empty(), "nodes that are not needed are gone");
    }
}
