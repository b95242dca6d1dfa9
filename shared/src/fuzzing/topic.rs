//! Topics and filters.

use crate::topic::{BadTopic, MAX_TOKEN_BYTES, MAX_TOKENS, Topic, TopicFilter};

/// A token that is not in any filter of the check, as long as a token may be.
const FOREIGN: &str = "foreign-foreign-foreign-foreign-foreign-foreign-foreign-foreign_";

/// Checks that texts are topics and filters if and only if byte by byte they are, and that filters match topics and cover each
/// other as the topics show for which they stand. The bytes are two filters and a topic, a line each.
pub fn topic(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let lines: Vec<&str> = text.splitn(3, '\n').collect();
    lines.iter().for_each(|line| check_parsed(line));
    let filters: Vec<TopicFilter> = lines.iter().filter_map(|line| line.parse().ok()).collect();
    let topics: Vec<Topic> = lines.iter().filter_map(|line| line.parse().ok()).collect();
    for filter in &filters {
        for topic in &topics {
            let tokens: Vec<&str> = topic.as_str().split('.').collect();
            assert_eq!(filter.matches(topic), stands_for(filter, &tokens), "{filter} and {topic}");
        }
        for other in &filters {
            check_cover(filter, other);
        }
    }
}

fn check_parsed(line: &str) {
    let filter = line.parse::<TopicFilter>();
    let is_wild = line.split('.').any(|token| matches!(token, "*" | ">"));
    assert_eq!(filter.is_ok(), is_filter(line), "{line:?}");
    match (line.parse::<Topic>(), filter) {
        (Ok(topic), Ok(filter)) => {
            assert!(!is_wild);
            assert_eq!((topic.as_str(), filter), (line, TopicFilter::Exact(topic.clone())));
        }
        (Err(error), Ok(filter)) => {
            assert_eq!((is_wild, error), (true, BadTopic::Wildcard));
            assert_eq!((filter.as_str(), filter.to_string().as_str()), (line, line));
        }
        (topic, filter) => assert_eq!(topic.err(), filter.err()),
    }
}

/// Reads a filter byte by byte.
fn is_filter(line: &str) -> bool {
    let (mut tokens, mut token) = (1, 0);
    let mut bytes = line.bytes().peekable();
    let mut before = b'.';
    while let Some(byte) = bytes.next() {
        let after = bytes.peek().copied();
        match byte {
            b'.' if token > 0 => (tokens, token) = (tokens + 1, 0),
            b'*' if before == b'.' && matches!(after, None | Some(b'.')) => token = 1,
            b'>' if before == b'.' && after.is_none() => token = 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => token += 1,
            _ => return false,
        }
        if token > MAX_TOKEN_BYTES {
            return false;
        }
        before = byte;
    }
    token > 0 && tokens <= MAX_TOKENS
}

/// Returns whether a filter stands for a topic of these tokens.
fn stands_for(filter: &TopicFilter, tokens: &[&str]) -> bool {
    fn matches(wanted: &[&str], tokens: &[&str]) -> bool {
        match (wanted, tokens) {
            ([], []) => true,
            ([">"], [_, ..]) => true,
            ([first, wanted @ ..], [token, tokens @ ..]) => {
                (*first == "*" || first == token) && matches(wanted, tokens)
            }
            _ => false,
        }
    }
    matches(&filter.as_str().split('.').collect::<Vec<_>>(), tokens)
}

/// Checks that a filter covers another if and only if it stands for all of the other's topics. Those with a foreign token in
/// place of each wildcard are enough: what stands for them does so for the rest.
fn check_cover(filter: &TopicFilter, other: &TopicFilter) {
    if [filter, other].iter().any(|filter| filter.as_str().contains(FOREIGN)) {
        return;
    }
    let shortest: Vec<&str> =
        other.as_str().split('.').map(|token| if matches!(token, "*" | ">") { FOREIGN } else { token }).collect();
    let longest = if other.as_str().ends_with('>') { MAX_TOKENS } else { shortest.len() };
    let stands_for_all = (shortest.len()..=longest).all(|length| {
        let mut tokens = shortest.clone();
        tokens.resize(length, FOREIGN);
        stands_for(filter, &tokens)
    });
    assert_eq!(filter.covers(other), stands_for_all, "{filter} and {other}");
}
