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

/// The longest part of an unknown name that an error repeats, in characters.
const SHOWN: usize = 64;

/// The parameters that a route knows.
#[derive(Debug, Clone, Copy)]
pub struct Parameters {
    /// Those that may be given several times.
    pub repeated: &'static [&'static str],
    /// Those that may be given once.
    pub single: &'static [&'static str],
}

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

/// The parameter that has a ticket: see `POST /ticket`.
pub const TICKET: &str = "ticket";

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

    /// Checks that all parameters are ones that the route knows, and none is given more often than it may be. Names that begin
    /// with `_`, as caches and libraries add them, are passed over.
    ///
    /// # Errors
    /// [`ApiError::UnknownParameter`] and [`ApiError::BadParameter`].
    pub fn check(&self, known: &Parameters) -> Result<(), ApiError> {
        let mut given = 0_u64;
        for name in self.names().filter(|name| !name.starts_with('_')) {
            if known.repeated.contains(&&*name) {
                continue;
            }
            let Some(index) = known.single.iter().position(|single| *single == name) else {
                let known = known.repeated.iter().chain(known.single).copied().collect();
                return Err(ApiError::UnknownParameter { name: name.chars().take(SHOWN).collect(), known });
            };
            if given & (1 << index) != 0 {
                let reason = "is given more than once; give it once".to_owned();
                return Err(ApiError::BadParameter { parameter: known.single[index], reason });
            }
            given |= 1 << index;
        }
        Ok(())
    }

    /// The first value of a parameter.
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.values(name).next()
    }

    /// The names of all parameters, in their order.
    fn names(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.pairs.iter().filter(|pair| pair.start < pair.end).map(|pair| {
            if pair.encoded {
                let mut parsed = form_urlencoded::parse(&self.text.as_bytes()[pair.start..pair.end]);
                return parsed.next().map_or(Cow::Borrowed(""), |(name, _)| name);
            }
            Cow::Borrowed(&self.text[pair.start..pair.equals.unwrap_or(pair.end)])
        })
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
            [TopicFilter::Exact(topic)] if self.values("topic").nth(1).is_none() => Ok(topic.clone()),
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
    fn names_are_known_and_single_ones_given_once() {
        let known = Parameters { repeated: &["topic"], single: &["since", "limit"] };
        let check = |text: &str| Query::new(text.to_owned()).check(&known).map_err(|error| error.code());
        for good in ["", "&&", "topic=a&topic=b", "since=1&limit=2", "_=1&_x&_=2", "s%69nce=1&&"] {
            assert_eq!(check(good), Ok(()), "{good:?}");
        }
        for twice in ["since=1&since=1", "since&since", "s%69nce=1&topic=a&since=2"] {
            assert_eq!(check(twice), Err("bad_parameter"), "{twice:?}");
        }
        for unknown in ["topics=a", "Since=1", "=1", "topic=a&x", "+since=1"] {
            assert_eq!(check(unknown), Err("unknown_parameter"), "{unknown:?}");
        }
        let unknown = Query::new(format!("{}=1", "ä".repeat(1000))).check(&known).unwrap_err().to_string();
        assert!(unknown.ends_with("this route takes topic, since, limit") && unknown.len() < 250, "{unknown}");
    }

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
