//! The key under which a publication can be repeated.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

/// An idempotency key is remembered for so long.
pub const IDEMPOTENCY_WINDOW: Duration = Duration::from_secs(120);

/// The longest idempotency key, in bytes.
pub const MAX_KEY_BYTES: usize = 256;

/// The name that a publisher gives to one publication, so that a repeat of it is recognised: 1 to [`MAX_KEY_BYTES`] visible ASCII
/// characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(Arc<str>);

impl IdempotencyKey {
    /// The key of a tick, so that many processes publish it once. No publisher can use it, because of its space.
    pub(crate) fn of_tick(period: Duration, number: u128) -> Self {
        Self(format!("tick {} {number}", period.as_millis()).into())
    }

    /// The same key as one of a publisher with a name, unique where its parts are, so that no other publisher can use it. The same on every
    /// process.
    pub fn of_publisher(&self, name: &[&str]) -> Self {
        let mut hasher = Sha256::new();
        for part in name {
            // With its length, so that no two names are the same bytes.
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        let scope: String = hasher.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        // No key of a publisher without a name has a space, and none of a tick has one space alone.
        Self(format!("{scope} {}", self.as_str()).into())
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The error for a text that is no idempotency key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("an idempotency key is 1 to {MAX_KEY_BYTES} visible ASCII characters, for example a UUID")]
pub struct BadIdempotencyKey;

impl FromStr for IdempotencyKey {
    type Err = BadIdempotencyKey;

    fn from_str(key: &str) -> Result<Self, BadIdempotencyKey> {
        let fits = (1..=MAX_KEY_BYTES).contains(&key.len());
        if fits && key.bytes().all(|b| b.is_ascii_graphic()) { Ok(Self(key.into())) } else { Err(BadIdempotencyKey) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishers_with_different_names_have_different_keys() {
        let key: IdempotencyKey = "k".parse().unwrap();
        let of_publisher = key.of_publisher(&["orders-backend"]);
        assert_ne!(of_publisher, key.of_publisher(&["another"]));
        assert_ne!(key.of_publisher(&["ab", "c"]), key.of_publisher(&["a", "bc"]));
        assert_ne!(of_publisher, key);
        assert!(of_publisher.as_str().parse::<IdempotencyKey>().is_err(), "{of_publisher:?} can be sent by another");
        let expected = "e018da358e87fd765e5366f51d8de61d k";
        assert_eq!(of_publisher.as_str(), expected, "other replicas have to come to the same");
    }

    #[test]
    fn keys_are_visible_ascii() {
        for bad in ["", "a b", "ключ", "a\n", &"x".repeat(MAX_KEY_BYTES + 1)] {
            assert_eq!(bad.parse::<IdempotencyKey>(), Err(BadIdempotencyKey), "{bad:?}");
        }
        assert_eq!("\"8e03978e\"".parse::<IdempotencyKey>().unwrap().as_str(), "\"8e03978e\"");
    }
}
