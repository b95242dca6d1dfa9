//! All metrics of a service.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use shared::backplane::Backplane;
use shared::gap::GapReason;

use super::deliveries::{Deliveries, Delivery};
use super::figures::BackplaneFigures;
use super::handshakes::Handshakes;
use super::labels::{self, End, Label, Method};
#[cfg(target_os = "linux")]
use super::process::ThisProcess;
use super::rejections::Rejections;
use super::tokens::{KeySetReadings, TokenRefusals};
use crate::config::CommonConfig;

/// The upper bounds of the times that a publication takes to be confirmed, in seconds.
const CONFIRM: [f64; 12] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0, 30.0];

/// The upper bounds of the times that clients stay, in seconds.
const STAY: [f64; 10] = [0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 43_200.0, 259_200.0];

/// The counters and gauges of a service, and their texts.
#[derive(Debug)]
pub(crate) struct Metrics {
    method: Method,
    registry: Registry,
    deliveries: Arc<Deliveries>,
    opened: Counter,
    /// By [`End`].
    closed: [Counter; End::ALL.len()],
    stay: Histogram,
    gaps: Gaps,
    published: Published,
    rejected: Rejections,
    renewed: Counter,
    handshakes: Arc<Handshakes>,
    refused_tokens: TokenRefusals,
    key_set: KeySetReadings,
    asked: Asked,
}

/// Spans for the collector of traces.
#[cfg(feature = "otlp")]
#[derive(Debug)]
pub(crate) struct SpanCounts {
    pub(crate) recorded: Counter,
    /// Those among them that the collector has taken.
    pub(crate) exported: Counter,
    /// Further ones, beyond `--otlp-budget`.
    pub(crate) over_budget: Counter,
}

/// Gaps, by their reasons.
#[derive(Debug)]
struct Gaps {
    epoch: Counter,
    expired: Counter,
    lagged: Counter,
}

impl Gaps {
    fn register(registry: &mut Registry) -> Self {
        let by_reason = Family::<Label, Counter>::default();
        let help = "Gaps reported to clients, by the reason: messages that they will not get";
        registry.register("gaps", help, by_reason.clone());
        let counter = |reason| by_reason.get_or_create_owned(&labels::reason(reason));
        Self { epoch: counter("epoch"), expired: counter("expired"), lagged: counter("lagged") }
    }

    fn of(&self, reason: GapReason) -> &Counter {
        match reason {
            GapReason::Epoch => &self.epoch,
            GapReason::Expired => &self.expired,
            GapReason::Lagged => &self.lagged,
        }
    }
}

/// Publications.
#[derive(Debug)]
struct Published {
    new: Counter,
    repeated: Counter,
    by_result: Family<Label, Counter>,
    confirm: Histogram,
}

/// The gauges that are set when the metrics are asked for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) connections: Gauge,
    pub(super) sockets: Gauge,
    pub(super) sockets_limit: Gauge,
    pub(super) lag: Gauge,
    pub(super) topics: Gauge,
    pub(super) topics_limit: Gauge,
    pub(super) patterns: Gauge,
    pub(super) patterns_limit: Gauge,
    pub(super) messages: Gauge,
    pub(super) bytes: Gauge,
    pub(super) bytes_limit: Gauge,
    pub(super) backplane_up: Gauge,
    pub(super) draining: Gauge,
    pub(super) certificate_expires: Gauge,
    pub(super) log_lines_dropped: Counter,
}

impl Metrics {
    /// The metrics of a service of one method. Those of TLS, tokens and `--jwks` are shown where the flags ask for these.
    pub(crate) fn new(method: Method, config: &CommonConfig, backplane: &Arc<dyn Backplane>) -> Self {
        let mut all = Registry::default();
        #[cfg(target_os = "linux")]
        all.register_collector(Box::new(ThisProcess));
        let registry = all.sub_registry_with_prefix("push");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION")), ("transport", method.label())]);
        registry.register("build", "The version of the service, and its method", build);

        let by_method = registry.sub_registry_with_label(("transport".into(), method.label().into()));
        let deliveries = Arc::new(Deliveries::default());
        by_method.register_collector(Box::new(Arc::clone(&deliveries)));
        let opened = Counter::default();
        by_method.register("connections_opened", "WebSockets, streams and held polls that have begun", opened.clone());
        let by_end = Family::<Label, Counter>::default();
        by_method.register("connections_closed", "Those that have ended, by the reason", by_end.clone());
        let closed = End::ALL.map(|end| by_end.get_or_create_owned(&labels::reason(end.label())));
        let stay = Histogram::new(STAY);
        let help = "The time from the beginning to the end of a WebSocket, a stream or a held poll";
        by_method.register_with_unit("connection_duration", help, Unit::Seconds, stay.clone());
        let gaps = Gaps::register(by_method);
        let asked = Asked::default();
        by_method.register(
            "connections",
            "WebSockets, streams and held polls that are open",
            asked.connections.clone(),
        );

        let published = Published::register(registry);
        let rejected = Rejections::default();
        let help = "Requests, frames and connections that were refused, by the code of the error";
        registry.register("rejected", help, rejected.by_code());
        let renewed = Counter::default();
        registry.register(
            "tokens_renewed",
            "Tokens that took the place of others on open connections",
            renewed.clone(),
        );
        asked.register(registry);
        registry.register_collector(Box::new(BackplaneFigures(Arc::clone(backplane))));
        let mut handshakes = Handshakes::default();
        if config.tls.is_asked_for() {
            handshakes = Handshakes::register(registry);
            let help = "The time at which the certificate of --tls-cert ends, in seconds since 1970";
            registry.register("tls_certificate_expires_timestamp_seconds", help, asked.certificate_expires.clone());
        }
        let (refused_tokens, key_set) = (TokenRefusals::default(), KeySetReadings::default());
        if config.access.has_key() {
            refused_tokens.register(registry);
        }
        if config.access.jwks.is_some() {
            key_set.register(registry);
        }
        Self {
            method,
            registry: all,
            deliveries,
            opened,
            closed,
            stay,
            gaps,
            published,
            rejected,
            renewed,
            handshakes: Arc::new(handshakes),
            refused_tokens,
            key_set,
            asked,
        }
    }

    /// Adds the counters of spans, for a service that has a collector.
    #[cfg(feature = "otlp")]
    pub(crate) fn add_spans(&mut self) -> SpanCounts {
        let registry = self.registry.sub_registry_with_prefix("push");
        let [recorded, exported, over_budget] = [(); 3].map(|()| Counter::default());
        registry.register("spans_recorded", "Spans that were recorded for the collector of traces", recorded.clone());
        registry.register("spans_exported", "Those among them that the collector has taken", exported.clone());
        let help = "Further spans, which were not recorded because of --otlp-budget";
        registry.register("spans_over_budget", help, over_budget.clone());
        SpanCounts { recorded, exported, over_budget }
    }

    /// Counts a client that stays: a WebSocket, a stream or a held poll.
    pub(crate) fn begin_stay(&self) {
        self.opened.inc();
    }

    /// Counts the end of its stay.
    pub(crate) fn end_stay(&self, end: End, stayed: Duration) {
        self.closed[end as usize].inc();
        self.stay.observe(stayed.as_secs_f64());
    }

    /// Counts what a client is sent.
    pub(crate) fn count(&self, delivery: &Delivery) {
        self.deliveries.count(delivery);
        if let Some(gap) = &delivery.gap {
            self.gaps.of(gap.reason).inc();
        }
    }

    /// The method of the service, as the label `transport` has it.
    pub(crate) fn transport(&self) -> &'static str {
        self.method.label()
    }

    /// The number of clients that stay.
    pub(crate) fn staying(&self) -> u64 {
        let closed: u64 = self.closed.iter().map(Counter::get).sum();
        self.opened.get().saturating_sub(closed)
    }

    /// Measures the time from the append of a message to the end of the write that sends it.
    pub(crate) fn measure_delay(&self, delay: Duration) {
        self.deliveries.measure_delay(delay);
    }

    /// Counts messages that were published, or repeated under their key.
    pub(crate) fn count_published(&self, messages: usize, repeated: bool, took: Duration) {
        let counter = if repeated { &self.published.repeated } else { &self.published.new };
        counter.inc_by(messages as u64);
        self.published.confirm.observe(took.as_secs_f64());
    }

    /// Counts messages that were not published, by the code of the error.
    pub(crate) fn count_unpublished(&self, messages: usize, code: &'static str) {
        self.published.by_result.get_or_create(&labels::result(code)).inc_by(messages as u64);
    }

    /// What was refused.
    pub(crate) fn rejected(&self) -> &Rejections {
        &self.rejected
    }

    /// Counts a token that has taken the place of another.
    pub(crate) fn count_renewed(&self) {
        self.renewed.inc();
    }

    /// The handshakes of TLS.
    pub(crate) fn handshakes(&self) -> &Arc<Handshakes> {
        &self.handshakes
    }

    /// The tokens that were refused.
    pub(crate) fn refused_tokens(&self) -> &TokenRefusals {
        &self.refused_tokens
    }

    /// The readings of `--jwks`.
    pub(crate) fn key_set(&self) -> &KeySetReadings {
        &self.key_set
    }

    /// All metrics.
    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The gauges that are set when the metrics are asked for.
    pub(super) fn asked(&self) -> &Asked {
        &self.asked
    }
}

impl Published {
    fn register(registry: &mut Registry) -> Self {
        let by_result = Family::<Label, Counter>::default();
        let help = "Messages that clients published, by the result: new, repeated (under an idempotency key), or the code of the error";
        registry.register("published_messages", help, by_result.clone());
        let confirm = Histogram::new(CONFIRM);
        let help = "The time until the backplane has confirmed a publication";
        registry.register_with_unit("backplane_confirm", help, Unit::Seconds, confirm.clone());
        // From the beginning, so that the first of them shows as an increase.
        for result in ["not_ready", "in_doubt"] {
            drop(by_result.get_or_create(&labels::result(result)));
        }
        let [new, repeated] = ["new", "repeated"].map(|result| by_result.get_or_create_owned(&labels::result(result)));
        Self { new, repeated, by_result, confirm }
    }
}

impl Asked {
    /// Registers all but those that are by method.
    fn register(&self, registry: &mut Registry) {
        for (gauge, name, help) in [
            (&self.sockets, "sockets", "TCP connections that take a place of --max-connections"),
            (
                &self.sockets_limit,
                "sockets_limit",
                "--max-connections, or less where the system allows fewer descriptors",
            ),
            (
                &self.lag,
                "subscriber_lag_messages",
                "Messages of one topic or pattern that the slowest of their subscribers has not read",
            ),
            (&self.topics, "topics", "Topics that have messages in memory or are followed"),
            (&self.topics_limit, "topics_limit", "--max-topics"),
            (&self.patterns, "patterns", "Distinct patterns that are followed"),
            (&self.patterns_limit, "patterns_limit", "--max-patterns"),
            (&self.messages, "history_messages", "Messages in memory"),
            (&self.bytes, "history_bytes", "Memory that the history takes"),
            (&self.bytes_limit, "history_bytes_limit", "Memory that the history may take"),
            (&self.backplane_up, "backplane_up", "1 where the backplane does all that it should, or else 0"),
            (&self.draining, "draining", "1 while the service is shutting down, or else 0"),
        ] {
            registry.register(name, help, gauge.clone());
        }
        let help = "Lines of the log that were dropped, since standard error was not read";
        registry.register("log_lines_dropped", help, self.log_lines_dropped.clone());
    }
}
