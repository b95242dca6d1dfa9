//! Sets of public keys (RFC 7517), of which a token names one.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use super::key::Key;
use crate::json_object::Object;

/// The keys of a set, by their names.
#[derive(Debug, Default)]
pub(super) struct KeySet(HashMap<String, Key>);

/// The reason why a text is no set of keys.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum BadKeySet {
    /// Not `{"keys":[…]}`.
    #[error("it is not a JSON Web Key Set, {{\"keys\":[…]}}")]
    Malformed,
    /// There is no key that can be used.
    #[error("none of its keys has a name (kid) and is for RS256, ES256 or EdDSA")]
    NoKey,
}

#[derive(Deserialize)]
struct RawSet {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct RawKey {
    kty: String,
    kid: String,
    alg: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a set. Keys that are of no use here are passed over, as RFC 7517, section 5, asks for.
    pub(super) fn read(json: &[u8]) -> Result<Self, BadKeySet> {
        let Object(RawSet { keys }) = serde_json::from_slice(json).map_err(|_| BadKeySet::Malformed)?;
        let usable = |key| serde_json::from_value::<Object<RawKey>>(key).ok().and_then(|Object(key)| key.key());
        let keys: HashMap<_, _> = keys.into_iter().filter_map(usable).collect();
        if keys.is_empty() { Err(BadKeySet::NoKey) } else { Ok(Self(keys)) }
    }

    /// The key of this name.
    pub(super) fn get(&self, name: &str) -> Option<&Key> {
        self.0.get(name)
    }

    /// The number of keys.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The key, if there is one alone.
    pub(super) fn only(&self) -> Option<&Key> {
        let mut keys = self.0.values();
        keys.next().filter(|_| keys.next().is_none())
    }
}

impl RawKey {
    /// The key and its name, if it is one for signatures that are known. A secret is none: whoever can read the set could sign.
    fn key(self) -> Option<(String, Key)> {
        let signs = self.r#use.as_deref().is_none_or(|purpose| purpose == "sig")
            && self.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|operation| operation == "verify"));
        let curve = self.crv.as_deref().unwrap_or_default();
        let key = match (self.kty.as_str(), curve) {
            ("RSA", _) => Key::rsa(&bytes(self.n)?, &bytes(self.e)?).ok()?,
            ("EC", "P-256") => Key::p256(&[&[4], &*bytes(self.x)?, &*bytes(self.y)?].concat()).ok()?,
            ("OKP", "Ed25519") => Key::ed25519(&bytes(self.x)?).ok()?,
            _ => return None,
        };
        let is_for = self.alg.is_none_or(|algorithm| {
            let newer_name = algorithm == "Ed25519" && curve == "Ed25519";
            newer_name || algorithm == format!("{:?}", key.algorithm())
        });
        (signs && is_for).then_some((self.kid, key))
    }
}

fn bytes(text: Option<String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(keys: Value) -> Result<usize, BadKeySet> {
        KeySet::read(json!({ "keys": keys }).to_string().as_bytes()).map(|set| set.len())
    }

    #[test]
    fn keys_that_are_of_no_use_are_passed_over() {
        let x = URL_SAFE_NO_PAD.encode([7; 32]);
        let good = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "a", "x": x, "alg": "EdDSA", "use": "sig" });
        let with = |name: &str, value: Value| {
            let mut key = good.clone();
            key[name] = value;
            key
        };
        assert_eq!(read(json!([good, with("kid", json!("b")), with("key_ops", json!(["verify"]))])), Ok(2));
        for bad in [
            with("kid", json!(null)),
            with("kty", json!("oct")),
            with("crv", json!("Ed448")),
            with("use", json!("enc")),
            with("key_ops", json!(["sign"])),
            with("alg", json!("HS256")),
            with("alg", json!("none")),
            with("x", json!("AAAA")),
            with("x", json!("!")),
            json!({ "kty": "oct", "kid": "s", "k": x, "alg": "HS256" }),
            json!({ "kty": "RSA", "kid": "r", "n": x, "e": "AQAB" }),
            json!({ "kty": "EC", "crv": "P-384", "kid": "r", "x": x, "y": x }),
            json!(7),
        ] {
            assert_eq!(read(json!([bad])), Err(BadKeySet::NoKey), "{bad}");
            assert_eq!(read(json!([good, bad])), Ok(1));
        }
        for malformed in ["", "{}", "[]", r#"{"keys":{}}"#, "<html>"] {
            assert_eq!(KeySet::read(malformed.as_bytes()).unwrap_err(), BadKeySet::Malformed);
        }
    }
}
