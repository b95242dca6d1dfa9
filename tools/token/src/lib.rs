//! Tokens (RFC 7519) for trying and for tests. The services check tokens, and make none.

#[cfg(feature = "command")]
pub mod command;

use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};

/// Makes a token that is signed with a secret by HS256.
pub fn hs256(secret: &[u8], claims: &Value) -> String {
    let unsigned = unsigned(&json!({ "alg": "HS256", "typ": "JWT" }), claims);
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), unsigned.as_bytes());
    signed(&unsigned, signature.as_ref())
}

/// Makes the part of a token that is signed, of a header and claims.
pub fn unsigned(header: &Value, claims: &Value) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    format!("{header}.{claims}")
}

/// Makes a token of its signed part and the signature.
pub fn signed(unsigned: &str, signature: &[u8]) -> String {
    format!("{unsigned}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The time in seconds since the Unix epoch, as claims have it.
pub fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
