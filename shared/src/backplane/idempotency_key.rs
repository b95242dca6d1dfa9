//! The key under which a publication can be repeated.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

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
    fn keys_are_visible_ascii() {
        for bad in ["", "a b", "ключ", "a\n", &"x".repeat(MAX_KEY_BYTES + 1)] {
            assert_eq!(bad.parse::<IdempotencyKey>(), Err(BadIdempotencyKey), "{bad:?}");
        }
        assert_eq!("\"8e03978e\"".parse::<IdempotencyKey>().unwrap().as_str(), "\"8e03978e\"");
    }
}
