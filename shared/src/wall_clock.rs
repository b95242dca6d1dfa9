//! The clock by which messages are dated.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::timestamp::Timestamp;

/// A clock of the time as people have it. It can be set, forwards and backwards: only dates go by it, never ages.
pub trait WallClock: fmt::Debug + Send + Sync {
    /// This moment.
    fn now(&self) -> Timestamp;
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl WallClock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(since.as_millis() as u64)
    }
}
