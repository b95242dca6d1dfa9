//! Points in time by the monotonic clock.

use std::time::Duration;

/// A point in time by the monotonic clock, in milliseconds since an origin that the owner of the clock chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

impl Moment {
    /// From milliseconds since the origin.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The moment that is earlier by a duration.
    #[must_use]
    pub fn earlier_by(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}
