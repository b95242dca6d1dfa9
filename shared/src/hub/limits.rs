//! The limits of a history.

use std::time::Duration;

/// The limits of a history. What exceeds them is evicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryLimits {
    /// Messages in each topic, at least 1.
    pub messages: usize,
    /// The time for which a message is held.
    pub age: Duration,
    /// Bytes of memory in all topics together, the encodings of messages included. The newest message is always held.
    pub bytes: usize,
}
