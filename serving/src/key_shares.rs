//! The share that each publisher has of `--idempotency-keys`.
//!
//! A publisher that has used it up can repeat its publications, and publish without a key; others go on as before.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use shared::backplane::IDEMPOTENCY_WINDOW;
use tokio::time::Instant;

use crate::publisher::Publisher;

/// The part of all keys that one publisher may use.
const PART: usize = 10;

/// The time whose keys are counted together.
const SLOT: Duration = Duration::from_secs(10);

/// The slots that a key counts in: those of the time for which it is remembered, and one that has begun before.
const SLOTS: usize = (IDEMPOTENCY_WINDOW.as_secs() / SLOT.as_secs()) as usize + 1;

/// The number of publishers from which on those that no longer matter are looked for.
const MANY: usize = 1024;

/// The keys that publishers have used.
#[derive(Debug)]
pub(crate) struct KeyShares {
    /// The most that one publisher may use.
    share: usize,
    start: Instant,
    publishers: Mutex<Publishers>,
}

#[derive(Debug, Default)]
struct Publishers {
    used: HashMap<Publisher, Used>,
    /// The number of them from which on those that no longer matter are dropped.
    many: usize,
}

/// The keys of a publisher, by the slot in which they were used.
#[derive(Debug, Clone, Copy)]
struct Used {
    latest: u64,
    counts: [u32; SLOTS],
}

/// A key that counts as used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reserved {
    slot: u64,
}

/// The publisher has used up its share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UsedUp {
    /// The keys that it may use in the time for which they are remembered.
    pub(crate) share: usize,
    /// The time after which it may use another one.
    pub(crate) wait: Duration,
}

impl KeyShares {
    /// Shares out so many keys.
    pub(crate) fn new(keys: usize) -> Self {
        let publishers = Publishers { many: MANY, ..Publishers::default() };
        Self { share: (keys / PART).max(1), start: Instant::now(), publishers: Mutex::new(publishers) }
    }

    /// Counts a key as used by a publisher, or fails if that has used up its share. Counted before it is known whether the key is new, so that
    /// many publications at a time do not exceed the share.
    pub(crate) fn reserve(&self, publisher: &Publisher) -> Result<Reserved, UsedUp> {
        let now = self.slot();
        let mut publishers = self.publishers.lock();
        let Publishers { used, many } = &mut *publishers;
        if used.len() >= *many {
            used.retain(|_, used| used.at(now).counts.iter().any(|count| *count > 0));
            *many = (used.len() * 2).max(MANY);
        }
        let used = used.entry(publisher.clone()).or_insert(Used { latest: now, counts: [0; SLOTS] });
        *used = used.at(now);
        if used.counts.iter().map(|count| *count as usize).sum::<usize>() < self.share {
            used.counts[Used::index(now)] += 1;
            return Ok(Reserved { slot: now });
        }
        let oldest = (0..SLOTS as u64).rev().find(|age| now >= *age && used.counts[Used::index(now - age)] > 0);
        let ends = now + SLOTS as u64 - oldest.unwrap_or_default();
        let wait =
            (self.start + SLOT * u32::try_from(ends).unwrap_or(u32::MAX)).saturating_duration_since(Instant::now());
        Err(UsedUp { share: self.share, wait })
    }

    /// Counts a key no longer: it was used before, or nothing was published under it.
    pub(crate) fn give_back(&self, publisher: &Publisher, Reserved { slot }: Reserved) {
        let now = self.slot();
        if let Some(used) = self.publishers.lock().used.get_mut(publisher)
            && now - slot < SLOTS as u64
        {
            *used = used.at(now);
            let count = &mut used.counts[Used::index(slot)];
            *count = count.saturating_sub(1);
        }
    }

    /// The slot of this moment.
    fn slot(&self) -> u64 {
        self.start.elapsed().as_secs() / SLOT.as_secs()
    }
}

impl Used {
    fn index(slot: u64) -> usize {
        (slot % SLOTS as u64) as usize
    }

    /// The same in a later slot: what is too old is forgotten.
    fn at(mut self, slot: u64) -> Self {
        for passed in (self.latest + 1..=slot).rev().take(SLOTS) {
            self.counts[Self::index(passed)] = 0;
        }
        self.latest = slot;
        self
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use tokio::time::advance;

    use super::*;

    fn publisher(number: u32) -> Publisher {
        crate::client_address::ClientAddress::from(IpAddr::from(number.to_be_bytes())).into()
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_is_used_up_until_its_oldest_keys_are_forgotten() {
        let shares = KeyShares::new(50);
        advance(Duration::from_secs(1_004)).await;
        for _ in 0..5 {
            assert!(shares.reserve(&publisher(1)).is_ok());
            advance(Duration::from_secs(1)).await;
        }
        let used_up = shares.reserve(&publisher(1)).unwrap_err();
        assert_eq!((used_up.share, used_up.wait), (5, Duration::from_secs(121)));
        assert!(shares.reserve(&publisher(2)).is_ok(), "another publisher");
        assert!(used_up.wait + Duration::from_secs(5) >= IDEMPOTENCY_WINDOW, "not before the first key is forgotten");
        advance(used_up.wait - Duration::from_millis(1)).await;
        assert!(shares.reserve(&publisher(1)).is_err());
        advance(Duration::from_millis(1)).await;
        let mut reserved: Vec<_> = (0..5).map(|_| shares.reserve(&publisher(1)).unwrap()).collect();
        assert!(shares.reserve(&publisher(1)).is_err());
        shares.give_back(&publisher(1), reserved.remove(0));
        assert!(shares.reserve(&publisher(1)).is_ok(), "one was given back");
        let last = reserved.remove(0);
        advance(Duration::from_secs(10_000)).await;
        shares.give_back(&publisher(1), last);
        for _ in 0..5 {
            assert!(shares.reserve(&publisher(1)).is_ok());
        }
        assert!(shares.reserve(&publisher(1)).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn publishers_whose_keys_are_forgotten_take_no_memory() {
        let shares = KeyShares::new(100_000);
        for number in 0..100_000 {
            assert!(shares.reserve(&publisher(number)).is_ok());
            advance(Duration::from_millis(200)).await;
        }
        assert!(shares.publishers.lock().used.len() <= 2 * MANY);
    }
}
