//! Whoever publishes, as far as the history has to tell one from another.

use std::num::NonZeroU64;

/// A publisher, as a number by which its messages are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublisherId(NonZeroU64);

impl PublisherId {
    /// The publisher with this hash. Hashes that nobody can foresee keep one from being taken for another on purpose.
    pub fn from_hash(hash: u64) -> Self {
        Self(NonZeroU64::new(hash).unwrap_or(NonZeroU64::MAX))
    }
}
