//! The totals over all clients.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::stats::Percentiles;

/// What came of it, over all clients.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Score {
    /// Clients that were judged.
    pub clients: u64,
    /// Messages that the server took.
    pub published: u64,
    /// Messages sent without an answer; they count neither as expected nor as wrong.
    pub uncertain: u64,
    /// Messages that clients should have received or been told of.
    pub expected: u64,
    /// Of those, received.
    pub received: u64,
    /// Of those, lost and covered by a gap that was told.
    pub told_lost: u64,
    /// Of those, lost without a word. The crucial number.
    pub missing: u64,
    /// Received again.
    pub twice: u64,
    /// Received after a later message, or after a gap that covered them.
    pub out_of_order: u64,
    /// Received though of another topic or from before the client's first position.
    pub astray: u64,
    /// Gaps told, by reason.
    pub gaps: BTreeMap<String, u64>,
    /// Times that a client came to another history, as after a restart.
    pub epochs_passed: u64,
    /// Of those, without being told.
    pub epochs_untold: u64,
    /// Times that a client was told again what it had been told before.
    pub epochs_retold: u64,
    /// Clients that never received the last message.
    pub never_caught_up: u64,
    /// Connections that replaced a lost one.
    pub reconnects: u64,
    /// From the beginning of a new connection until everything published before it had arrived, where anything was
    /// missed. Where the connection was cut before, the next one is measured.
    pub catch_up: Percentiles,
    /// From sending a message to its arrival.
    pub delay: Percentiles,
    /// The same, of those messages alone that were sent while the client believed to be connected.
    pub delay_connected: Percentiles,
    /// A few of the faults.
    pub examples: Vec<String>,
}

/// How many faults are described.
const EXAMPLES: usize = 10;

impl Score {
    /// Whether the promise was kept: everything once and in order, or told.
    pub fn is_clean(&self) -> bool {
        let faults = [
            self.missing,
            self.twice,
            self.out_of_order,
            self.astray,
            self.epochs_untold,
            self.epochs_retold,
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

/// What is measured, until it is summed up.
#[derive(Debug, Default)]
pub(super) struct Times {
    pub(super) catch_up: Vec<u64>,
    pub(super) delay: Vec<u64>,
    pub(super) delay_connected: Vec<u64>,
}
