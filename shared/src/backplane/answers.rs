//! Publications that are repeated because the first answer did not reach the publisher.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};

use tokio::time::Instant;

use super::error::PublishError;
use super::idempotency_key::{IDEMPOTENCY_WINDOW, IdempotencyKey};
use super::placement::Placement;
use super::publication::Publication;

/// The answers to publications under the keys of the last [`IDEMPOTENCY_WINDOW`].
#[derive(Debug)]
pub(super) struct Answers {
    limit: usize,
    by_key: HashMap<IdempotencyKey, Answer>,
    by_age: VecDeque<(Instant, IdempotencyKey)>,
}

/// The answer to a publication.
#[derive(Debug)]
struct Answer {
    content: ContentHash,
    placement: Placement,
}

/// The hash of the topic and the messages of a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ContentHash(u64);

/// Hashes publications, with keys of its own, so that no publisher can make two that collide.
#[derive(Debug, Default)]
pub(super) struct ContentHasher(RandomState);

impl ContentHasher {
    pub(super) fn hash(&self, Publication { topic, drafts, .. }: &Publication) -> ContentHash {
        ContentHash(self.0.hash_one((topic, drafts)))
    }
}

impl Answers {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, by_key: HashMap::new(), by_age: VecDeque::new() }
    }

    /// Forgets the answers that are older than the window.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some((_, key)) = self.by_age.pop_front_if(|(used, _)| *used + IDEMPOTENCY_WINDOW <= now) {
            self.by_key.remove(&key);
        }
        if self.by_key.len() < self.by_key.capacity() / 4 {
            self.by_key.shrink_to(self.by_key.len() * 2);
            self.by_age.shrink_to(self.by_age.len() * 2);
        }
    }

    /// The answer to the publication under a key.
    ///
    /// # Errors
    /// [`PublishError::KeyReused`] when that publication was another one.
    pub(super) fn find(
        &mut self,
        key: &IdempotencyKey,
        content: ContentHash,
        now: Instant,
    ) -> Result<Option<Placement>, PublishError> {
        self.expire(now);
        match self.by_key.get(key) {
            None => Ok(None),
            Some(answer) if answer.content == content => Ok(Some(answer.placement.clone())),
            Some(_) => Err(PublishError::KeyReused),
        }
    }

    pub(super) fn check_room(&self, now: Instant) -> Result<(), PublishError> {
        if self.by_key.len() < self.limit {
            return Ok(());
        }
        let oldest = self.by_age.front().map_or(now, |(used, _)| *used);
        let wait = (oldest + IDEMPOTENCY_WINDOW).saturating_duration_since(now);
        Err(PublishError::TooManyKeys { limit: self.limit, wait })
    }

    pub(super) fn remember(&mut self, key: IdempotencyKey, content: ContentHash, placement: Placement, now: Instant) {
        self.by_age.push_back((now, key.clone()));
        self.by_key.insert(key, Answer { content, placement });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::backplane::placement::Offsets;
    use crate::cursor::Epoch;
    use crate::timestamp::Timestamp;
    use crate::topic::Topic;

    #[tokio::test(start_paused = true)]
    async fn a_key_is_remembered_for_two_minutes() {
        let mut answers = Answers::new(1);
        let key: IdempotencyKey = "k".parse().unwrap();
        let offsets = Offsets::Consecutive { first: 1, count: 1, at: Timestamp::from_millis(0) };
        let epoch = Epoch::new(1);
        let placement = Placement { epoch, topic: Topic::default(), offsets };
        let content = ContentHash(1);
        answers.remember(key.clone(), content, placement, Instant::now());
        let last_millisecond = Duration::from_millis(1);
        tokio::time::advance(IDEMPOTENCY_WINDOW - last_millisecond).await;
        let refused = answers.check_room(Instant::now());
        assert!(matches!(refused, Err(PublishError::TooManyKeys { limit: 1, wait }) if wait == last_millisecond));
        assert!(answers.find(&key, content, Instant::now()).unwrap().is_some());
        tokio::time::advance(last_millisecond).await;
        assert!(answers.find(&key, content, Instant::now()).unwrap().is_none());
        assert!(answers.check_room(Instant::now()).is_ok());
    }
}
