//! The parameters of a request.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use shared::cursor::Position;
use shared::duration::duration;
use shared::topic::{BadTopic, Topic, TopicFilter};
use smallvec::SmallVec;

use crate::error::ApiError;

/// The most topics that a subscription may name.
const MAX_TOPICS: usize = 64;

/// The parameters of a request.
#[derive(Debug, Clone, Default)]
pub struct Query {
    text: String,
    pairs: SmallVec<[Pair; 4]>,
}

/// The place of a parameter in the text.
#[derive(Debug, Clone, Copy, Default)]
struct Pair {
    start: usize,
    /// The sign between name and value, if there is one.
    equals: Option<usize>,
    end: usize,
    /// It has percent-encoded or plus characters.
    encoded: bool,
}

impl Query {
    pub(crate) fn new(text: String) -> Self {
        let mut pairs = SmallVec::new();
        let mut pair = Pair::default();
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                b'&' => {
                    pairs.push(Pair { end: at, ..pair });
                    pair = Pair { start: at + 1, ..Pair::default() };
                }
                b'=' if pair.equals.is_none() => pair.equals = Some(at),
                b'%' | b'+' => pair.encoded = true,
                _ => {}
            }
        }
        pairs.push(Pair { end: text.len(), ..pair });
        Self { text, pairs }
    }

    /// The first value of a parameter.
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.values(name).next()
    }

    fn values(&self, name: &str) -> impl Iterator<Item = Cow<'_, str>> {
        self.pairs.iter().filter_map(move |pair| {
            if pair.encoded {
                let (key, value) = form_urlencoded::parse(&self.text.as_bytes()[pair.start..pair.end]).next()?;
                return (key == name).then_some(value);
            }
            let key_end = pair.equals.unwrap_or(pair.end);
            let value = pair.equals.map_or("", |equals| &self.text[equals + 1..pair.end]);
            (&self.text[pair.start..key_end] == name).then_some(Cow::Borrowed(value))
        })
    }

    /// The topics that `topic` names: up to 64 topics or patterns, `main` if none is named.
    pub fn topics(&self) -> Result<Vec<TopicFilter>, ApiError> {
        let mut topics: Vec<TopicFilter> = Vec::new();
        for value in self.values("topic") {
            let topic = value.parse()?;
            if topics.contains(&topic) {
                continue;
            }
            if topics.len() == MAX_TOPICS {
                let reason = format!("name at most {MAX_TOPICS}, or use a wildcard");
                return Err(ApiError::BadParameter { parameter: "topic", reason });
            }
            topics.push(topic);
        }
        Ok(if topics.is_empty() { vec![Topic::default().into()] } else { topics })
    }

    /// The one topic that `topic` names, `main` if none is.
    pub fn one_topic(&self) -> Result<Topic, ApiError> {
        match self.topics()?.as_slice() {
            [TopicFilter::Exact(topic)] => Ok(topic.clone()),
            [TopicFilter::Pattern(_)] => Err(BadTopic::Wildcard.into()),
            _ => Err(ApiError::BadParameter { parameter: "topic", reason: "name one topic here".to_owned() }),
        }
    }

    /// The position that `since` names.
    pub fn since(&self) -> Result<Option<Position>, ApiError> {
        Ok(self.get("since").map(|since| since.parse()).transpose()?)
    }

    /// A number within a range.
    pub fn number(&self, name: &'static str, range: RangeInclusive<usize>) -> Result<Option<usize>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        usize::from_str(&text).ok().filter(|number| range.contains(number)).map(Some).ok_or_else(|| {
            let reason = format!("write a number from {} to {}", range.start(), range.end());
            ApiError::BadParameter { parameter: name, reason }
        })
    }

    /// Returns whether something is switched on by `1`. It is off by `0`, and if it is not named.
    pub fn is_on(&self, name: &'static str) -> Result<bool, ApiError> {
        match self.get(name).as_deref() {
            None | Some("0") => Ok(false),
            Some("1") => Ok(true),
            Some(_) => Err(ApiError::BadParameter { parameter: name, reason: "write 1 or 0".to_owned() }),
        }
    }

    /// A time in seconds, or with a unit, of at most `most`.
    pub fn seconds(&self, name: &'static str, most: Duration) -> Result<Option<Duration>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let parsed = match text.parse() {
            Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
            Err(_) => duration(&text).ok(),
        };
        parsed.filter(|time| *time <= most).map(Some).ok_or_else(|| {
            let reason = format!("write seconds from 0 to {}", most.as_secs());
            ApiError::BadParameter { parameter: name, reason }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_as_forms_are() {
        for text in
            ["", "a", "a=", "=a", "a=b", "a=b=c", "a=1&a=2", "&&a=1&", "a%3D=%26&b=x+y", "a=%C3%A4&a=\u{e4}", "a&a=1"]
        {
            let query = Query::new(text.to_owned());
            for name in ["a", "b", "a=", ""] {
                let expected =
                    form_urlencoded::parse(text.as_bytes()).filter(|(key, _)| key == name && !text.is_empty());
                let expected: Vec<_> = expected.map(|(_, value)| value).collect();
                let given: Vec<_> = query.values(name).filter(|value| !(name.is_empty() && value.is_empty())).collect();
                assert_eq!(given, expected, "{name:?} in {text:?}");
            }
        }
    }
}
