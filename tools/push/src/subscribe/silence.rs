//! The silence after which a connection is dead.

use std::time::Duration;

use crate::connection::{Method, Trouble};

/// The time in which the first sign of life has to come over a connection.
pub(super) const BEGINNING: Duration = Duration::from_secs(10);

/// The time without a sign of life after which a connection is dead, until the service says how often it gives one.
pub(super) const SILENCE: Duration = Duration::from_secs(60);

/// Returns the time without a sign of life after which a connection is dead, where there is one every `period` seconds.
pub(super) fn silence(period: f64) -> Duration {
    Duration::try_from_secs_f64(period * 2.0 + 5.0).unwrap_or(SILENCE)
}

/// The trouble of a connection on which nothing came.
pub(super) fn silent(method: Method, silence: Duration) -> Trouble {
    Trouble::Cut(format!(
        "nothing came by {} for {silence:.0?}, not even a heartbeat; `push doctor` finds out what holds it back",
        method.name()
    ))
}
