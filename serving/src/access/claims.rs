//! The content of a token (RFC 7519, section 4).

use std::time::SystemTime;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use shared::topic::TopicFilter;

use super::bad_token::BadToken;
use super::config::AccessConfig;

/// The seconds by which the clocks of issuer and service may differ, for those who come. Whoever is connected goes when the token ends.
const LEEWAY: f64 = 5.0;

/// The claims that count, as they are in a token. All others are ignored.
#[derive(Debug, Default, Deserialize)]
pub(super) struct RawClaims {
    #[serde(default, deserialize_with = "present")]
    sub: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    exp: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    iss: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    aud: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    publish: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    subscribe: Option<Value>,
}

/// `null` is a value, which no claim may have, and not the same as no claim.
fn present<'a, D: Deserializer<'a>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// The claims of a token that is good now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Claims {
    #[serde(rename = "sub")]
    pub(super) subject: Option<String>,
    /// The issuer, within which the subject is unique (RFC 7519, section 4.1.2). Absent where there is one issuer alone.
    #[serde(rename = "iss", skip_serializing_if = "Option::is_none", default)]
    pub(super) issuer: Option<String>,
    /// Seconds since the Unix epoch.
    #[serde(rename = "exp")]
    pub(super) expires: Option<f64>,
    #[serde(with = "filters")]
    pub(super) publish: Vec<TopicFilter>,
    #[serde(with = "filters")]
    pub(super) subscribe: Vec<TopicFilter>,
}

/// The demands of the flags on claims.
#[derive(Debug, Clone, Default)]
pub(super) struct Demands {
    pub(super) issuers: Vec<String>,
    pub(super) audiences: Vec<String>,
    pub(super) allows_eternal: bool,
}

impl Demands {
    /// Those of the flags.
    pub(super) fn of(config: &AccessConfig) -> Self {
        let (issuers, audiences) = (config.jwt_issuer.clone(), config.jwt_audience.clone());
        Self { issuers, audiences, allows_eternal: config.jwt_allow_eternal }
    }
}

/// The seconds since the Unix epoch.
pub(super) fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

impl RawClaims {
    /// Checks all claims, at a time in seconds since the Unix epoch. One that is malformed spoils the whole token.
    pub(super) fn check(self, demands: &Demands, now: f64) -> Result<Claims, BadToken> {
        let subject = self.sub.map(|sub| text("sub", sub)).transpose()?;
        let expires = self.exp.map(|exp| seconds("exp", &exp)).transpose()?;
        let not_before = self.nbf.map(|nbf| seconds("nbf", &nbf)).transpose()?;
        let issuer = self.iss.map(|iss| text("iss", iss)).transpose()?;
        let audience = self.aud.map(audience).transpose()?.unwrap_or_default();
        let publish = self.publish.map(|topics| topics_of("publish", topics)).transpose()?.unwrap_or_default();
        let subscribe = self.subscribe.map(|topics| topics_of("subscribe", topics)).transpose()?.unwrap_or_default();
        if expires.is_none() && !demands.allows_eternal {
            return Err(BadToken::NoEnd);
        }
        let mut claims = Claims { subject, issuer, expires, publish, subscribe };
        if claims.is_over(now) {
            return Err(BadToken::Expired);
        }
        if not_before.is_some_and(|not_before| now + LEEWAY < not_before) {
            return Err(BadToken::NotYet);
        }
        let is_of_issuer = claims.issuer.as_ref().is_some_and(|issuer| demands.issuers.contains(issuer));
        if !demands.issuers.is_empty() && !is_of_issuer {
            return Err(BadToken::Issuer);
        }
        if demands.issuers.len() == 1 {
            claims.issuer = None;
        }
        if !demands.audiences.is_empty() && !audience.iter().any(|audience| demands.audiences.contains(audience)) {
            return Err(BadToken::Audience);
        }
        Ok(claims)
    }
}

impl Claims {
    /// Returns whether the token has ended, for those who come.
    pub(super) fn is_over(&self, now: f64) -> bool {
        self.expires.is_some_and(|expires| expires + LEEWAY <= now)
    }
}

fn text(claim: &'static str, value: Value) -> Result<String, BadToken> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(BadToken::MalformedClaim(claim)),
    }
}

fn seconds(claim: &'static str, value: &Value) -> Result<f64, BadToken> {
    value.as_f64().filter(|seconds| seconds.is_finite()).ok_or(BadToken::MalformedClaim(claim))
}

/// An audience is one text or an array of them (RFC 7519, section 4.1.3).
fn audience(value: Value) -> Result<Vec<String>, BadToken> {
    match value {
        Value::Array(values) => values.into_iter().map(|value| text("aud", value)).collect(),
        value => Ok(vec![text("aud", value)?]),
    }
}

fn topics_of(claim: &'static str, value: Value) -> Result<Vec<TopicFilter>, BadToken> {
    let Value::Array(topics) = value else { return Err(BadToken::MalformedClaim(claim)) };
    let topic = |topic| text(claim, topic)?.parse().map_err(|_| BadToken::MalformedClaim(claim));
    topics.into_iter().map(topic).collect()
}

/// Topics as tickets have them.
mod filters {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};
    use shared::topic::TopicFilter;

    pub(super) fn serialize<S: Serializer>(filters: &[TopicFilter], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(filters.iter().map(TopicFilter::as_str))
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(deserializer: D) -> Result<Vec<TopicFilter>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: f64 = 1_000.0;

    fn check(claims: Value, demands: &Demands) -> Result<Claims, BadToken> {
        serde_json::from_value::<RawClaims>(claims).unwrap().check(demands, NOW)
    }

    #[test]
    fn the_issuer_counts_where_there_may_be_several() {
        let issued = json!({ "exp": NOW + 60.0, "iss": "a" });
        for (issuers, kept) in [(vec![], Some("a")), (vec!["a"], None), (vec!["a", "b"], Some("a"))] {
            let issuers = issuers.into_iter().map(str::to_owned).collect();
            let demands = Demands { issuers, ..Demands::default() };
            assert_eq!(check(issued.clone(), &demands).unwrap().issuer.as_deref(), kept);
        }
    }

    #[test]
    fn a_token_with_a_malformed_claim_is_refused_whole() {
        let good = json!({ "exp": NOW + 60.0, "publish": ["a"], "subscribe": ["a.>", "*"], "other": [null] });
        let claims = check(good.clone(), &Demands::default()).unwrap();
        assert_eq!((claims.publish.len(), claims.subscribe.len()), (1, 2));
        for (claim, bad) in [
            ("sub", json!(7)),
            ("sub", json!(null)),
            ("exp", json!("2000")),
            ("exp", json!(null)),
            ("nbf", json!("0")),
            ("nbf", json!([0])),
            ("iss", json!(["a"])),
            ("aud", json!(7)),
            ("aud", json!(["a", 7])),
            ("publish", json!("a")),
            ("publish", json!(["a", ""])),
            ("publish", json!(["a", 7])),
            ("publish", json!(null)),
            ("publish", json!({ "0": "a" })),
            ("subscribe", json!(["a..b"])),
            ("subscribe", json!(["a.>.b"])),
            ("subscribe", json!(true)),
        ] {
            let mut claims = good.clone();
            claims[claim] = bad.clone();
            assert_eq!(check(claims, &Demands::default()), Err(BadToken::MalformedClaim(claim)), "{bad}");
        }
        assert!(serde_json::from_str::<RawClaims>(r#"{"exp":2000,"exp":3000}"#).is_err(), "it is there twice");
    }

    #[test]
    fn clocks_may_differ_by_five_seconds() {
        let check = |claims| check(claims, &Demands::default()).map(drop);
        assert_eq!(check(json!({ "exp": NOW - 4.9 })), Ok(()));
        assert_eq!(check(json!({ "exp": NOW - 5.0 })), Err(BadToken::Expired));
        assert_eq!(check(json!({ "exp": -1 })), Err(BadToken::Expired));
        assert_eq!(check(json!({ "exp": NOW + 1.0, "nbf": NOW + 5.0 })), Ok(()));
        assert_eq!(check(json!({ "exp": NOW + 60.0, "nbf": NOW + 5.1 })), Err(BadToken::NotYet));
    }

    #[test]
    fn a_token_needs_an_end_unless_eternal_ones_are_allowed() {
        assert_eq!(check(json!({}), &Demands::default()), Err(BadToken::NoEnd));
        let demands = Demands { allows_eternal: true, ..Demands::default() };
        assert_eq!(check(json!({}), &demands).unwrap().expires, None);
        assert_eq!(check(json!({ "exp": 1 }), &demands), Err(BadToken::Expired), "an end counts all the same");
    }

    #[test]
    fn issuer_and_audience_are_checked_if_asked_for() {
        let token = |more: Value| {
            let mut claims = json!({ "exp": NOW + 60.0 });
            claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            claims
        };
        let issuers = Demands { issuers: vec!["a".into(), "b".into()], ..Demands::default() };
        assert!(check(token(json!({ "iss": "b" })), &issuers).is_ok());
        for other in [json!({}), json!({ "iss": "c" })] {
            assert_eq!(check(token(other), &issuers), Err(BadToken::Issuer));
        }
        let audiences = Demands { audiences: vec!["a".into(), "b".into()], ..Demands::default() };
        assert!(check(token(json!({ "aud": "a" })), &audiences).is_ok());
        assert!(check(token(json!({ "aud": ["x", "b"] })), &audiences).is_ok());
        for other in [json!({}), json!({ "aud": "c" }), json!({ "aud": [] })] {
            assert_eq!(check(token(other), &audiences), Err(BadToken::Audience));
        }
        assert!(check(token(json!({ "iss": "c", "aud": "c" })), &Demands::default()).is_ok());
    }
}
