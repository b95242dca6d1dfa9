//! The figures of a service.

use serde::{Deserialize, Serialize};

use super::samples::Samples;

/// The figures of a service. `None` for those that are not known.
#[derive(Debug, Default, Serialize)]
pub(super) struct Figures {
    pub(super) url: String,
    /// The reason why there are no figures.
    pub(super) error: Option<String>,
    pub(super) transport: Option<String>,
    pub(super) version: Option<String>,
    pub(super) draining: Option<bool>,
    pub(super) backplane_up: Option<bool>,
    pub(super) connections: Option<f64>,
    pub(super) opened_per_second: Option<f64>,
    pub(super) published: Option<f64>,
    pub(super) published_per_second: Option<f64>,
    pub(super) delivered: Option<f64>,
    pub(super) delivered_per_second: Option<f64>,
    /// The upper bound of the time from the append to the end of the write, for 99 % of the deliveries since the refresh before.
    pub(super) delivery_delay_p99_seconds: Option<f64>,
    pub(super) lag_messages: Option<f64>,
    pub(super) gaps: Option<f64>,
    pub(super) rejected: Option<f64>,
    pub(super) rejected_per_second: Option<f64>,
    pub(super) topics: Option<f64>,
    pub(super) history_messages: Option<f64>,
    pub(super) history_bytes: Option<f64>,
    pub(super) memory_bytes: Option<f64>,
    /// Processors in use: 1 is one whole.
    pub(super) cpus: Option<f64>,
    /// The clients that are farthest behind, where `/debug.json` is served.
    pub(super) slowest: Option<Vec<SlowReader>>,
}

/// A client that has not read everything.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SlowReader {
    pub(super) address: String,
    pub(super) subject: Option<String>,
    pub(super) topics: Vec<String>,
    pub(super) lag_messages: u64,
    pub(super) stalled_seconds: u64,
}

impl Figures {
    /// Makes figures of the samples of now, and of those of so many seconds before.
    pub(super) fn new(url: &str, now: &Samples, before: Option<(&Samples, f64)>) -> Self {
        let sum = |name: &str| now.sum(name);
        let rate = |name: &str| {
            let (before, seconds) = before?;
            // A counter that went back is that of a process that was restarted.
            Some((now.sum(name)? - before.sum(name)?) / seconds).filter(|rate| *rate >= 0.0)
        };
        let is_on = |name: &str| now.sum(name).map(|value| value != 0.0);
        Self {
            url: url.to_owned(),
            error: None,
            transport: now.label("push_build_info", "transport"),
            version: now.label("push_build_info", "version"),
            draining: is_on("push_draining"),
            backplane_up: is_on("push_backplane_up"),
            connections: sum("push_connections"),
            opened_per_second: rate("push_connections_opened_total"),
            published: sum("push_published_messages_total"),
            published_per_second: rate("push_published_messages_total"),
            delivered: sum("push_delivered_messages_total"),
            delivered_per_second: rate("push_delivered_messages_total"),
            delivery_delay_p99_seconds: before
                .and_then(|(before, _)| now.quantile("push_delivery_delay_seconds", 0.99, before)),
            lag_messages: sum("push_subscriber_lag_messages"),
            gaps: sum("push_gaps_total"),
            rejected: sum("push_rejected_total"),
            rejected_per_second: rate("push_rejected_total"),
            topics: sum("push_topics"),
            history_messages: sum("push_history_messages"),
            history_bytes: sum("push_history_bytes"),
            memory_bytes: sum("process_resident_memory_bytes"),
            cpus: rate("process_cpu_seconds_total"),
            slowest: None,
        }
    }
}
