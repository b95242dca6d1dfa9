//! The work of a measurement.

use std::time::Duration;

use crate::load::{NUMBER, number};

/// The work of a measurement.
#[derive(Debug, Clone)]
pub struct Work {
    /// The number of publications in flight, each on a connection of its own.
    pub in_flight: usize,
    /// The number of topics over which messages are spread.
    pub topics: u32,
    /// The length of a message.
    pub bytes: usize,
    /// The length of the measurement.
    pub length: Duration,
}

/// The topics of a measurement.
#[derive(Debug)]
pub(super) struct Topics(String);

impl Topics {
    pub(super) fn new() -> Self {
        Self(format!("bench-{:08x}", fastrand::u32(..)))
    }

    /// The name of a topic.
    pub(super) fn name(&self, topic: u32) -> String {
        format!("{}.{}", self.0, number(topic))
    }

    /// The name with a placeholder for the number.
    pub(super) fn any(&self) -> String {
        format!("{}.{NUMBER}", self.0)
    }
}
