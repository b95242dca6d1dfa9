//! Publications that are repeated because their first answer did not arrive.

use std::collections::{HashMap, VecDeque};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{IDEMPOTENCY_WINDOW, Placement, PublishError};

/// The longest idempotency key, in bytes.
pub const MAX_KEY_BYTES: usize = 256;

/// What a publisher calls one publication, so that a repeat of it is recognised: 1 to [`MAX_KEY_BYTES`] visible ASCII
/// characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(Arc<str>);

impl IdempotencyKey {
    /// The key of one of a source's regular messages, so that many processes publish it once: it is none that a publisher
    /// can name, because of its space.
    pub(crate) fn of_tick(period: Duration, number: u128) -> Self {
        Self(format!("tick {} {number}", period.as_millis()).into())
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no idempotency key.
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

/// The keys of the last [`IDEMPOTENCY_WINDOW`] and what was answered to them.
#[derive(Debug)]
pub(super) struct SeenKeys {
    limit: usize,
    answers: HashMap<IdempotencyKey, Placement>,
    by_age: VecDeque<(Instant, IdempotencyKey)>,
}

impl SeenKeys {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, answers: HashMap::new(), by_age: VecDeque::new() }
    }

    /// Forgets what is older than the window.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some((_, key)) = self.by_age.pop_front_if(|(seen, _)| *seen + IDEMPOTENCY_WINDOW <= now) {
            self.answers.remove(&key);
        }
        if self.answers.len() < self.answers.capacity() / 4 {
            self.answers.shrink_to(self.answers.len() * 2);
            self.by_age.shrink_to(self.by_age.len() * 2);
        }
    }

    pub(super) fn find(&mut self, key: &IdempotencyKey, now: Instant) -> Option<Placement> {
        self.expire(now);
        self.answers.get(key).cloned()
    }

    pub(super) fn check_room(&self) -> Result<(), PublishError> {
        if self.answers.len() < self.limit { Ok(()) } else { Err(PublishError::TooManyKeys { limit: self.limit }) }
    }

    pub(super) fn remember(&mut self, key: IdempotencyKey, placement: Placement, now: Instant) {
        self.by_age.push_back((now, key.clone()));
        self.answers.insert(key, placement);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_key_is_remembered_for_two_minutes() {
        let mut keys = SeenKeys::new(1);
        let key: IdempotencyKey = "k".parse().unwrap();
        let offsets = super::super::Offsets::Consecutive { first: 1, count: 1, at: crate::timestamp::Timestamp::now() };
        let epoch = crate::cursor::Epoch::new(1);
        let placement = Placement { epoch, topic: crate::topic::Topic::default(), offsets };
        keys.remember(key.clone(), placement, Instant::now());
        assert!(keys.check_room().is_err());
        tokio::time::advance(IDEMPOTENCY_WINDOW - std::time::Duration::from_millis(1)).await;
        assert!(keys.find(&key, Instant::now()).is_some());
        tokio::time::advance(std::time::Duration::from_millis(1)).await;
        assert!(keys.find(&key, Instant::now()).is_none());
        assert!(keys.check_room().is_ok());
    }

    #[test]
    fn keys_are_visible_ascii() {
        for bad in ["", "a b", "ключ", "a\n", &"x".repeat(MAX_KEY_BYTES + 1)] {
            assert_eq!(bad.parse::<IdempotencyKey>(), Err(BadIdempotencyKey), "{bad:?}");
        }
        assert_eq!("\"8e03978e\"".parse::<IdempotencyKey>().unwrap().as_str(), "\"8e03978e\"");
    }
}
