//! The content of a token, and the token itself, on any bytes.

use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use shared::topic::TopicFilter;

use super::claims::{Claims, Demands, RawClaims};
use super::key::Key;
use super::secret::Secret;
use super::signatures;
use super::tickets::{TicketKey, redeem};
use crate::json_object::Object;

/// The time of the check, in seconds since the Unix epoch.
const NOW: f64 = 1_000.0;

/// The time by which a token may have ended, or not begun.
const LEEWAY: f64 = 5.0;

/// Checks that claims are taken when each of them is what RFC 7519 and this service ask for, and refused whole otherwise. The bytes are the
/// content of a token. As a token and as a ticket, they are refused, since nobody has signed them.
pub fn claims(bytes: &[u8]) {
    let demands = Demands { issuers: vec!["i".to_owned()], audiences: vec!["a".to_owned()], allows_eternal: false };
    let raw = serde_json::from_slice::<Object<RawClaims>>(bytes);
    let taken = raw.ok().and_then(|Object(raw)| raw.check(&demands, NOW).ok());
    assert_eq!(taken, expected(bytes));

    let Ok(text) = str::from_utf8(bytes) else { return };
    signatures::install();
    let secret = Secret::new(b"nobody who makes these bytes knows it".to_vec());
    assert!(Key::secret(&secret).claims(text).is_err());
    assert!(redeem(&[TicketKey::of(&secret, &Demands::default())], text, None, NOW).is_err());
}

/// The claims that count.
const CLAIMS: [&str; 7] = ["sub", "exp", "nbf", "iss", "aud", "publish", "subscribe"];

/// The members of an object that count, those that are there twice included. Of others, serde looks at the syntax alone.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, Value)>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if CLAIMS.contains(&name.as_str()) {
                members.push((name, map.next_value()?));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(members)
    }
}

/// The claims of a token, found in another way.
fn expected(bytes: &[u8]) -> Option<Claims> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let members = (&mut json).deserialize_map(Members).ok()?;
    json.end().ok()?;
    // The outer absence is an error.
    let claim = |name: &str| {
        let mut values = members.iter().filter(|(key, _)| key == name).map(|(_, value)| value);
        let first = values.next();
        values.next().is_none().then_some(first)
    };
    let number = |name: &str| match claim(name)? {
        None => Some(None),
        Some(value) => value.as_f64().map(Some),
    };
    let topics = |name: &str| match claim(name)? {
        None => Some(Vec::new()),
        Some(value) => {
            let topic = |topic: &Value| topic.as_str()?.parse::<TopicFilter>().ok();
            value.as_array()?.iter().map(topic).collect()
        }
    };
    let subject = match claim("sub")? {
        None => None,
        Some(value) => Some(value.as_str()?.to_owned()),
    };
    let (publish, subscribe) = (topics("publish")?, topics("subscribe")?);
    let (expires, not_before) = (number("exp")?, number("nbf")?);
    let is_in_time = expires? > NOW - LEEWAY && not_before.is_none_or(|begin| begin <= NOW + LEEWAY);
    let is_of_issuer = claim("iss")?? == "i";
    let is_for_us = match claim("aud")?? {
        Value::Array(all) => all.iter().all(Value::is_string) && all.iter().any(|one| one == "a"),
        one => one == "a",
    };
    (is_in_time && is_of_issuer && is_for_us).then_some(Claims { subject, issuer: None, expires, publish, subscribe })
}
