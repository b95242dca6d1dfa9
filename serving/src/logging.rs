//! The log: `tracing` events on standard error, as text or JSON.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

use crate::config::{LogConfig, LogFormat};

/// Sends the events that the configuration asks for to standard error, from here on.
pub fn start(config: &LogConfig) {
    let layer = match config.log_format {
        LogFormat::Text => fmt::layer().with_ansi(stderr().is_terminal()).with_writer(stderr).boxed(),
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_writer(stderr).boxed(),
    };
    registry().with(layer.with_filter(targets(&config.log))).init();
}

/// The targets that the configuration asks for, without those of the NATS library unless it is asked for by name: it logs
/// every attempt to connect, where the backplane logs each change.
fn targets(asked: &Targets) -> Targets {
    const LIBRARY: &str = "async_nats";
    if asked.iter().any(|(target, _)| target.starts_with(LIBRARY)) {
        return asked.clone();
    }
    asked.clone().with_target(LIBRARY, LevelFilter::OFF)
}
