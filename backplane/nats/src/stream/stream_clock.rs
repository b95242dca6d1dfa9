//! The clock of the NATS server that leads the stream, by which the age of stored messages counts.

use std::time::Duration;

use tokio::time::Instant;

/// A reading of the stream's clock. It goes on by the monotonic clock of this process, so that neither this machine's wall
/// clock nor a publisher's makes a message older or younger.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StreamClock {
    /// The reading, in nanoseconds since the Unix epoch.
    pub(super) nanos: i128,
    /// The moment of the reading.
    pub(super) read: Instant,
}

impl StreamClock {
    /// The time for which the stream has held a message that it stored at a time, in nanoseconds since the Unix epoch. Zero
    /// if that is still to come.
    pub(crate) fn age(&self, stored_at: i128) -> Duration {
        let since = self.nanos + self.read.elapsed().as_nanos() as i128 - stored_at;
        Duration::from_nanos(since.clamp(0, i128::from(u64::MAX)) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_age_grows_with_the_time_that_passes() {
        let clock = StreamClock { nanos: 5_000_000_000, read: Instant::now() };
        assert_eq!(clock.age(2_000_000_000), Duration::from_secs(3));
        assert_eq!(clock.age(7_000_000_000), Duration::ZERO);
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(clock.age(2_000_000_000), Duration::from_secs(7));
        assert_eq!(clock.age(7_000_000_000), Duration::from_secs(2));
    }
}
