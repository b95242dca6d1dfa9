//! The totals over all clients.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::stats::Percentiles;

/// The totals over all clients.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Score {
    /// Clients that were judged.
    pub clients: u64,
    /// Messages that the server accepted.
    pub published: u64,
    /// Messages sent without an answer; they count neither as expected nor as wrong.
    pub uncertain: u64,
    /// Messages that clients should have received, or whose loss a gap should have reported.
    pub expected: u64,
    /// Of those, received.
    pub received: u64,
    /// Of those, lost and covered by a gap.
    pub lost_reported: u64,
    /// Of those, lost without a gap. The crucial number.
    pub missing: u64,
    /// Received again.
    pub twice: u64,
    /// Received after a later message, or after a gap that covered them.
    pub out_of_order: u64,
    /// Received although of another topic or from before the client's first position.
    pub astray: u64,
    /// Gaps, by reason.
    pub gaps: BTreeMap<String, u64>,
    /// The number of times that a client passed to another epoch, as after a restart.
    pub epochs_passed: u64,
    /// Of those, without a gap that reported it.
    pub epochs_unreported: u64,
    /// The number of times that the same change of epoch was reported to a client again.
    pub epochs_repeated: u64,
    /// Clients that never received the last message.
    pub never_caught_up: u64,
    /// Connections that replaced a lost one.
    pub reconnects: u64,
    /// The times from the beginning of a new connection until everything published before it had arrived, where anything
    /// was missed. If the connection was cut before that, the next one is measured.
    pub catch_up: Percentiles,
    /// The times from sending a message to its arrival.
    pub delay: Percentiles,
    /// The same, only for messages that were sent while the client counted as connected.
    pub delay_connected: Percentiles,
    /// A few examples of the faults.
    pub examples: Vec<String>,
}

/// The number of examples.
const EXAMPLES: usize = 10;

impl Score {
    /// Returns whether the promise was kept: every message once and in order, or its loss reported.
    pub fn is_clean(&self) -> bool {
        let faults = [
            self.missing,
            self.twice,
            self.out_of_order,
            self.astray,
            self.epochs_unreported,
            self.epochs_repeated,
            self.never_caught_up,
        ];
        faults.iter().all(|&count| count == 0) && self.expected > 0
    }

    pub(super) fn example(&mut self, describe: impl FnOnce() -> String) {
        if self.examples.len() < EXAMPLES {
            self.examples.push(describe());
        }
    }
}

/// The measured times, before they are summarised.
#[derive(Debug, Default)]
pub(super) struct Times {
    pub(super) catch_up: Vec<u64>,
    pub(super) delay: Vec<u64>,
    pub(super) delay_connected: Vec<u64>,
}
