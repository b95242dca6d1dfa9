//! The parameters of a request.

use std::borrow::Cow;
use std::time::Duration;

use shared::cursor::Position;
use shared::topic::TopicFilter;

use crate::query::{Parameters, Query};

/// The most topics that a subscription may name.
const MAX_TOPICS: usize = 64;

/// The longest time that a parameter of the check may name.
const MOST: Duration = Duration::from_secs(60);

const KNOWN: Parameters = Parameters { repeated: &["topic"], single: &["since", "limit", "wait", "json"] };

type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// Checks that the parameters of a request are those that `form_urlencoded` finds, and that the values which are read from
/// them are within their limits. The bytes are the text after the question mark.
pub fn query(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let query = Query::new(text.to_owned());
    let pairs: Vec<Pair<'_>> = form_urlencoded::parse(bytes).collect();
    for name in pairs.iter().map(|(name, _)| &**name).chain(KNOWN.repeated.iter().chain(KNOWN.single).copied()) {
        let first = pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        // An empty text between two signs is no parameter.
        if !name.is_empty() {
            assert_eq!(query.get(name).as_ref(), first, "{name:?}");
        }
    }
    assert_eq!(query.check(&KNOWN).map_err(|error| error.code()), expected(&pairs));
    check_topics(&query, &pairs);
    check_values(&query);
}

/// Returns the outcome of a check that all parameters are known and none is given too often.
fn expected(pairs: &[Pair<'_>]) -> Result<(), &'static str> {
    let counted: Vec<&str> = pairs.iter().map(|(name, _)| &**name).filter(|name| !name.starts_with('_')).collect();
    for (index, name) in counted.iter().enumerate() {
        if KNOWN.single.contains(name) && counted[..index].contains(name) {
            return Err("bad_parameter");
        }
        if !KNOWN.single.contains(name) && !KNOWN.repeated.contains(name) {
            return Err("unknown_parameter");
        }
    }
    Ok(())
}

fn check_topics(query: &Query, pairs: &[Pair<'_>]) {
    let values: Vec<&str> = pairs.iter().filter(|(name, _)| name == "topic").map(|(_, value)| &**value).collect();
    let mut expected: Vec<&str> = Vec::new();
    for value in &values {
        if !expected.contains(value) {
            expected.push(value);
        }
    }
    let are_valid = expected.len() <= MAX_TOPICS && values.iter().all(|value| value.parse::<TopicFilter>().is_ok());
    if values.is_empty() {
        expected.push("main");
    }
    let topics = query.topics();
    assert_eq!(topics.is_ok(), are_valid, "{topics:?}");
    let one = query.one_topic();
    if let Ok(topics) = topics {
        let named: Vec<&str> = topics.iter().map(TopicFilter::as_str).collect();
        assert_eq!(named, expected);
        let is_one = values.len() <= 1 && matches!(topics[0], TopicFilter::Exact(_));
        assert_eq!(one.ok().as_ref().map(|topic| topic.as_str()), is_one.then(|| named[0]));
    } else {
        assert!(one.is_err());
    }
}

/// Checks the values of one parameter each.
fn check_values(query: &Query) {
    if let Ok(Some(limit)) = query.number("limit", 1..=1000) {
        let digits: u128 = query.get("limit").and_then(|text| text.parse().ok()).expect("it is a number");
        assert!(digits == limit as u128 && (1..=1000).contains(&limit), "{limit}");
    }
    if let Ok(Some(wait)) = query.seconds("wait", MOST) {
        assert!(wait <= MOST, "{wait:?}");
    }
    let json = query.get("json");
    assert_eq!(
        query.is_on("json").ok(),
        match json.as_deref() {
            Some("1") => Some(true),
            None | Some("0") => Some(false),
            Some(_) => None,
        }
    );
    match query.since() {
        Ok(Some(Position::At(cursor))) => assert_eq!(cursor.to_string().parse(), Ok(cursor)),
        Ok(since) => assert_eq!(since.is_none(), query.get("since").is_none()),
        Err(_) => assert!(query.get("since").is_some()),
    }
}
