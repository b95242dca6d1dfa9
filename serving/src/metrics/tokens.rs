//! Tokens: those that were refused, and the set of keys that they are checked by.

use std::time::SystemTime;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::labels::{self, Label};

/// Tokens and tickets that were refused, by the reason. Cloning makes another handle to the same counters.
#[derive(Debug, Clone, Default)]
pub(crate) struct TokenRefusals(Family<Label, Counter>);

/// Readings of `--jwks`. Cloning makes another handle to the same figures.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeySetReadings {
    failed: Counter,
    read_at: Gauge,
}

impl TokenRefusals {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Tokens and tickets that were refused, by the reason";
        registry.register("tokens_refused", help, self.0.clone());
    }

    /// Counts one. The reason is one of a few, whatever the token says.
    pub(crate) fn count(&self, reason: &'static str) {
        self.0.get_or_create(&labels::reason(reason)).inc();
    }
}

impl KeySetReadings {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Attempts to read the keys of --jwks that failed";
        registry.register("jwks_read_failures", help, self.failed.clone());
        let help = "The time at which the keys of --jwks were read last, in seconds since 1970; 0 before they were";
        registry.register("jwks_read_timestamp_seconds", help, self.read_at.clone());
    }

    /// Counts an attempt that has failed.
    pub(crate) fn count_failed(&self) {
        self.failed.inc();
    }

    /// Notes that the keys were read.
    pub(crate) fn note_read(&self) {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.read_at.set(i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
    }
}
