//! Tokens for closed services, good and bad.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

/// The secret of the services under test.
pub const SECRET: &str = "a secret of more than 32 bytes, for tests";

/// The flags of a closed service with each demand on tokens.
pub const CLOSED: [&str; 6] = ["--jwt-secret", SECRET, "--jwt-issuer", "https://id.example", "--jwt-audience", "push"];

/// Returns the claims of a token that is good for a minute, with these in place of others; `null` removes one.
pub fn claims(more: Value) -> Value {
    let mut claims = json!({
        "sub": "ada",
        "iss": "https://id.example",
        "aud": ["push"],
        "exp": token::now() + 60.0,
        "publish": ["a.b"],
        "subscribe": ["a.>"],
    });
    let Value::Object(more) = more else { panic!("claims are an object") };
    for (name, value) in more {
        match value {
            Value::Null => drop(claims.as_object_mut().expect("it is one").remove(&name)),
            value => claims[name] = value,
        }
    }
    claims
}

/// Makes a token with these claims in place of others.
pub fn token_with(more: Value) -> String {
    token::hs256(SECRET.as_bytes(), &claims(more))
}

/// A case of the table: a token, and the errors of publishing on `a.b`, of following `a.>` and of asking for a ticket with it. An empty
/// text stands for none.
#[derive(Debug)]
pub struct Case {
    /// The name of the case.
    pub name: &'static str,
    /// The token.
    pub token: Option<String>,
    /// The error of publishing on `a.b`.
    pub publish: &'static str,
    /// The error of following `a.>`.
    pub subscribe: &'static str,
    /// The error of asking for a ticket.
    pub ticket: &'static str,
}

impl Case {
    fn new(name: &'static str, token: impl Into<Option<String>>, errors: [&'static str; 3]) -> Self {
        let [publish, subscribe, ticket] = errors;
        Self { name, token: token.into(), publish, subscribe, ticket }
    }
}

/// The cases of tokens, good and bad.
pub fn cases() -> Vec<Case> {
    const BAD: [&str; 3] = ["unauthorized"; 3];
    let now = token::now();
    let other_key = token::hs256(b"another secret of more than 32 bytes, by someone else", &claims(json!({})));
    let unsigned = |algorithm: &str| token::unsigned(&json!({ "alg": algorithm }), &claims(json!({})));
    let good = token_with(json!({}));
    let (head, _) = good.rsplit_once('.').expect("a token has three parts");
    let (_, signature) = good.rsplit_once('.').expect("a token has three parts");
    let elsewhere = json!({ "alg": "HS256", "kid": "../../../dev/null", "jku": "http://127.0.0.1:1/", "jwk": { "kty": "oct", "k": "AAAA" } });
    vec![
        Case::new("none", None, BAD),
        Case::new("empty", String::new(), BAD),
        Case::new("garbage", "garbage".to_owned(), BAD),
        Case::new("three parts of garbage", "a.b.c".to_owned(), BAD),
        Case::new("expired", token_with(json!({ "exp": now - 6.0 })), BAD),
        Case::new("without an end", token_with(json!({ "exp": null })), BAD),
        Case::new("not yet valid", token_with(json!({ "nbf": now + 30.0 })), BAD),
        Case::new("of another key", other_key, BAD),
        Case::new("changed", format!("{}.{signature}", unsigned("HS256")), BAD),
        Case::new("without its signature", format!("{head}."), BAD),
        Case::new("of another algorithm", token::signed(&unsigned("HS512"), &[7; 64]), BAD),
        Case::new("of a public key's algorithm", token::signed(&unsigned("RS256"), &[7; 256]), BAD),
        Case::new("of the algorithm none", format!("{}.", unsigned("none")), BAD),
        Case::new("of the algorithm NONE, signed", token::signed(&unsigned("NONE"), SECRET.as_bytes()), BAD),
        Case::new("with a key of its own", token::signed(&token::unsigned(&elsewhere, &claims(json!({}))), b"x"), BAD),
        Case::new("of another issuer", token_with(json!({ "iss": "https://evil.example" })), BAD),
        Case::new("without an issuer", token_with(json!({ "iss": null })), BAD),
        Case::new("for another audience", token_with(json!({ "aud": "mail" })), BAD),
        Case::new("without an audience", token_with(json!({ "aud": null })), BAD),
        Case::new("half wrong", token_with(json!({ "publish": "a.b" })), BAD),
        Case::new("wrong in one topic", token_with(json!({ "subscribe": ["a.>", "b..c"] })), BAD),
        Case::new(
            "without a claim",
            token_with(json!({ "publish": null, "subscribe": null })),
            ["forbidden", "forbidden", ""],
        ),
        Case::new(
            "for other topics",
            token_with(json!({ "publish": ["a", "a.c"], "subscribe": ["b.>"] })),
            ["forbidden", "forbidden", ""],
        ),
        Case::new(
            "for a narrower pattern",
            token_with(json!({ "publish": ["a.*.c"], "subscribe": ["a.*", "a.*.>"] })),
            ["forbidden", "forbidden", ""],
        ),
        Case::new("right", good, ["", "", ""]),
        Case::new("for everything", token_with(json!({ "publish": [">"], "subscribe": [">"] })), ["", "", ""]),
        Case::new("in its leeway", token_with(json!({ "exp": now - 1.0 })), ["", "", ""]),
    ]
}

/// The time that a test gives a token to expire in.
pub const SHORT: Duration = Duration::from_millis(1500);

/// Makes a token that expires after [`SHORT`], and returns it with the time of its end.
pub fn short_token() -> (String, Instant) {
    let end = Instant::now() + SHORT;
    (token_with(json!({ "exp": token::now() + SHORT.as_secs_f64() })), end)
}

/// Checks that it is the time at which a token that ended then is to end what it has allowed: not before, and not much later. That it
/// is within a second is for the benches to show, which have the machine for themselves.
///
/// # Panics
/// When it is another.
pub fn assert_on_time(end: Instant) {
    let (now, clocks_differ) = (Instant::now(), Duration::from_millis(20));
    assert!(now + clocks_differ >= end, "{:?} early", end - now);
    assert!(now <= end + Duration::from_secs(5), "{:?} late", now - end);
}
