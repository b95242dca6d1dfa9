//! Topics, and the filters that a subscription names.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// The most tokens in a topic or filter.
pub const MAX_TOKENS: usize = 8;
/// The most bytes in one token.
pub const MAX_TOKEN_BYTES: usize = 64;

/// A topic: 1 to [`MAX_TOKENS`] tokens of `[A-Za-z0-9_-]`, each of 1 to [`MAX_TOKEN_BYTES`] bytes, joined by dots.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Topic(Arc<str>);

impl Topic {
    /// The topic as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Topic {
    fn default() -> Self {
        Self("main".into())
    }
}

/// The error for a text that is no topic or filter.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadTopic {
    /// A token is empty, too long, or has a character that no token has.
    #[error(
        "a topic is 1 to {MAX_TOKENS} tokens of A-Z a-z 0-9 _ - joined by dots, each of 1 to {MAX_TOKEN_BYTES} characters"
    )]
    Malformed,
    /// A wildcard where one topic has to be named.
    #[error("wildcards (* and >) are for subscriptions alone; name one topic here")]
    Wildcard,
    /// `>` before the end.
    #[error("`>` stands for the rest of a topic, so it can only be the last token")]
    RestNotLast,
}

fn is_token(token: &str) -> bool {
    (1..=MAX_TOKEN_BYTES).contains(&token.len())
        && token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

impl FromStr for Topic {
    type Err = BadTopic;

    fn from_str(text: &str) -> Result<Self, BadTopic> {
        match text.parse()? {
            TopicFilter::Exact(topic) => Ok(topic),
            TopicFilter::Pattern(_) => Err(BadTopic::Wildcard),
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for Topic {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Serialize for Topic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// The topics that a subscription asks for: one topic, or by NATS wildcards every topic that matches.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TopicFilter {
    /// One topic.
    Exact(Topic),
    /// Every topic that matches.
    Pattern(Pattern),
}

/// A filter with wildcards: `*` stands for exactly one token, a final `>` for one or more.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern(Arc<str>);

impl Pattern {
    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether every topic matches.
    pub fn matches_everything(&self) -> bool {
        &*self.0 == ">"
    }

    /// Returns whether a topic matches.
    pub fn matches(&self, topic: &Topic) -> bool {
        let mut tokens = topic.as_str().split('.');
        for wanted in self.0.split('.') {
            match (wanted, tokens.next()) {
                (">", Some(_)) => return true,
                ("*", Some(_)) => {}
                (_, Some(token)) if token == wanted => {}
                _ => return false,
            }
        }
        tokens.next().is_none()
    }
}

impl FromStr for TopicFilter {
    type Err = BadTopic;

    fn from_str(text: &str) -> Result<Self, BadTopic> {
        let tokens = text.split('.').count();
        if tokens > MAX_TOKENS {
            return Err(BadTopic::Malformed);
        }
        let mut wild = false;
        for (index, token) in text.split('.').enumerate() {
            match token {
                "*" => wild = true,
                ">" if index + 1 < tokens => return Err(BadTopic::RestNotLast),
                ">" => wild = true,
                _ if is_token(token) => {}
                _ => return Err(BadTopic::Malformed),
            }
        }
        Ok(if wild { Self::Pattern(Pattern(text.into())) } else { Self::Exact(Topic(text.into())) })
    }
}

impl TopicFilter {
    /// Returns whether a topic matches.
    pub fn matches(&self, topic: &Topic) -> bool {
        match self {
            Self::Exact(exact) => exact == topic,
            Self::Pattern(pattern) => pattern.matches(topic),
        }
    }

    /// Returns whether this filter matches every topic that `other` matches.
    pub fn covers(&self, other: &Self) -> bool {
        let (mut tokens, mut others) = (self.as_str().split('.'), other.as_str().split('.'));
        for place in 1.. {
            match (tokens.next(), others.next()) {
                (None, None) | (Some(">"), Some(_)) => return true,
                // One token is not the whole of one or more, unless no topic has more.
                (Some("*"), Some(other)) if other != ">" || place == MAX_TOKENS => {}
                (Some(token), Some(other)) if token == other => {}
                _ => break,
            }
        }
        false
    }

    /// The filter as text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Exact(topic) => topic.as_str(),
            Self::Pattern(pattern) => pattern.as_str(),
        }
    }
}

impl fmt::Display for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Topic> for TopicFilter {
    fn from(topic: Topic) -> Self {
        Self::Exact(topic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_tokens_joined_by_dots() {
        let long = "x".repeat(MAX_TOKEN_BYTES);
        for good in ["main", "a.b.c", "A-1_z", "1.2.3.4.5.6.7.8", &long] {
            assert_eq!(good.parse::<Topic>().unwrap().as_str(), good);
        }
        let too_long = format!("{long}x");
        for bad in ["", ".", "a.", ".a", "a..b", "a b", "主", "a/b", "1.2.3.4.5.6.7.8.9", &too_long] {
            assert_eq!(bad.parse::<Topic>(), Err(BadTopic::Malformed), "{bad:?}");
        }
        assert_eq!("orders.*".parse::<Topic>(), Err(BadTopic::Wildcard));
        assert_eq!("orders.>".parse::<Topic>(), Err(BadTopic::Wildcard));
    }

    #[test]
    fn wildcards_match_as_in_nats() {
        let matches = |filter: &str, topic: &str| match filter.parse().unwrap() {
            TopicFilter::Exact(exact) => exact.as_str() == topic,
            TopicFilter::Pattern(pattern) => pattern.matches(&topic.parse().unwrap()),
        };
        for (filter, topic, expected) in [
            ("orders.*", "orders.new", true),
            ("orders.*", "orders", false),
            ("orders.*", "orders.new.eu", false),
            ("orders.>", "orders.new", true),
            ("orders.>", "orders.new.eu", true),
            ("orders.>", "orders", false),
            ("*.new", "orders.new", true),
            ("*.new", "orders.old", false),
            ("*.*.eu", "orders.new.eu", true),
            (">", "main", true),
            (">", "a.b.c", true),
            ("*", "main", true),
            ("*", "a.b", false),
            ("main", "main", true),
        ] {
            assert_eq!(matches(filter, topic), expected, "{filter} on {topic}");
        }
    }

    /// Every text of up to `most` of these tokens that is a topic or filter.
    fn all<T: FromStr>(tokens: &[&str], most: usize) -> Vec<T> {
        let mut texts: Vec<String> = tokens.iter().map(|token| (*token).to_owned()).collect();
        let mut longest = texts.clone();
        for _ in 1..most {
            longest =
                longest.iter().flat_map(|text| tokens.iter().map(move |token| format!("{text}.{token}"))).collect();
            texts.extend_from_slice(&longest);
        }
        texts.iter().filter_map(|text| text.parse().ok()).collect()
    }

    #[test]
    fn a_filter_covers_another_when_it_matches_all_of_its_topics() {
        let filters: Vec<TopicFilter> = all(&["a", "b", "*", ">"], 3);
        // With a token that no filter names, and longer than every filter.
        let topics: Vec<Topic> = all(&["a", "b", "c"], 4);
        for (filter, other) in filters.iter().flat_map(|filter| filters.iter().map(move |other| (filter, other))) {
            let matches_all = topics.iter().filter(|topic| other.matches(topic)).all(|topic| filter.matches(topic));
            assert_eq!(filter.covers(other), matches_all, "{filter} and {other}");
        }
    }

    #[test]
    fn the_rest_of_a_topic_is_one_token_where_no_topic_has_more() {
        let filter = |text: &str| text.parse::<TopicFilter>().unwrap();
        let (one, rest) = (filter("1.2.3.4.5.6.7.*"), filter("1.2.3.4.5.6.7.>"));
        assert!(one.covers(&rest) && rest.covers(&one));
        assert!(!filter("1.2.3.4.5.6.*").covers(&filter("1.2.3.4.5.6.>")));
    }

    #[test]
    fn a_filter_that_can_match_nothing_is_refused() {
        assert_eq!("a.>.b".parse::<TopicFilter>(), Err(BadTopic::RestNotLast));
        for bad in ["a*", "a.b>", "**", ""] {
            assert_eq!(bad.parse::<TopicFilter>(), Err(BadTopic::Malformed), "{bad:?}");
        }
    }
}
