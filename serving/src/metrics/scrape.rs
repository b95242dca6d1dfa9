//! The text of all metrics, at the moment at which it is asked for.

use std::sync::atomic::Ordering;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::gauge::Gauge;

use super::text::of_prometheus;
use crate::app::App;
use crate::log_writer;

/// The text of all metrics at this moment, in the form of OpenMetrics, or in that of Prometheus before it.
pub(crate) fn text(app: &App, openmetrics: bool) -> String {
    ask(app);
    let mut text = String::new();
    // An error would mean that memory takes no more.
    let _ = encode(&mut text, app.metrics().registry());
    if openmetrics { text } else { of_prometheus(&text) }
}

/// Sets the gauges that nobody sets before.
fn ask(app: &App) {
    let (asked, hub, admission) = (app.metrics().asked(), app.hub(), &app.admission);
    set(&asked.connections, app.metrics().staying());
    set(&asked.sockets, admission.taken() as u64);
    set(&asked.sockets_limit, admission.limit() as u64);
    set(&asked.lag, hub.lag() as u64);
    set(&asked.topics, hub.topics() as u64);
    set(&asked.topics_limit, app.config.history.max_topics as u64);
    set(&asked.patterns, hub.patterns_with(&[]) as u64);
    set(&asked.patterns_limit, app.config.history.max_patterns as u64);
    set(&asked.messages, hub.messages() as u64);
    set(&asked.bytes, hub.bytes() as u64);
    set(&asked.bytes_limit, hub.limits().bytes as u64);
    set(&asked.backplane_up, u64::from(app.backplane().ready().is_ok()));
    if let Some(tls) = app.tls() {
        asked.certificate_expires.set(tls.certificate_expires());
    }
    set(&asked.draining, u64::from(!admission.is_open()));
    asked.log_lines_dropped.inner().store(log_writer::dropped(), Ordering::Relaxed);
}

fn set(gauge: &Gauge, value: u64) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}
