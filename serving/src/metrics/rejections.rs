//! Requests, frames and connections that were refused.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::labels::{self, Label};

/// Requests, frames and connections that were refused. Cloning makes another handle to the same counters.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rejections(Family<Label, Counter>);

impl Rejections {
    /// Counts one whose client has been sent the error, by its code.
    pub(crate) fn count(&self, code: &'static str) {
        self.0.get_or_create(&labels::reason(code)).inc();
    }

    /// Counts a connection that was closed without an answer.
    pub(crate) fn count_closed(&self) {
        self.count("connection");
    }

    /// The counters.
    pub(super) fn by_code(&self) -> Family<Label, Counter> {
        self.0.clone()
    }
}
