//! The write time-out: a client that takes nothing is given up.

use std::time::Duration;

use tokio::time::Instant;

use super::transport::Transport;

/// The number of checks within a write time-out. A client is given up one check too late at most.
const CHECKS: u32 = 4;

/// The time since which a client has not taken all that was written.
///
/// The kernel's buffer takes nothing more until a good part of it is free, which a slow reader needs minutes for. The bytes
/// that the client's system has acknowledged show its progress.
#[derive(Debug)]
pub(super) struct Stall {
    /// The time of the last progress.
    since: Instant,
    checked: Instant,
    /// The number of bytes that were acknowledged at the last check.
    acknowledged: Option<u64>,
}

impl Stall {
    /// Begins when the client takes no more, or has taken a part of what was written.
    pub(super) fn begin() -> Self {
        let now = Instant::now();
        Self { since: now, checked: now, acknowledged: None }
    }

    /// The time for which the client has taken nothing, as far as it was looked at.
    pub(super) fn lasted(&self) -> Duration {
        self.since.elapsed()
    }

    /// The time of the next check.
    pub(super) fn next_check(&self, timeout: Duration) -> Instant {
        (self.checked + timeout / CHECKS).min(self.since + timeout)
    }

    /// Returns whether the client has taken nothing for the write time-out, if a check is due.
    pub(super) fn is_over(&mut self, transport: &Transport, timeout: Duration) -> bool {
        let now = Instant::now();
        if now < self.next_check(timeout) {
            return false;
        }
        self.checked = now;
        let acknowledged = transport.acknowledged();
        if acknowledged != self.acknowledged {
            self.acknowledged = acknowledged;
            self.since = now;
        }
        now - self.since >= timeout
    }
}
