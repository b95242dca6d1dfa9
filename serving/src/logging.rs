//! The log: `tracing` events on standard error, as text or JSON.

use std::env;
use std::io::{self, IsTerminal, stderr};

use tracing::warn;
use tracing_subscriber::filter::{LevelFilter, ParseError, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

use crate::config::{LogConfig, LogFormat};
use crate::log_budget;
use crate::log_writer::LogWriter;

/// Sends the events that the configuration asks for to standard error, from here on. No event waits for standard error.
///
/// # Errors
/// When the system has no thread for the log.
pub fn start(config: &LogConfig) -> io::Result<()> {
    log_budget::set(config.log_budget);
    let writer = LogWriter::start(stderr())?;
    writer.is_of_the_process();
    let writer = move || writer.clone();
    let layer = match config.log_format {
        LogFormat::Text => fmt::layer().with_ansi(stderr().is_terminal()).with_writer(writer).boxed(),
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_writer(writer).boxed(),
    };
    let (asked, mistake) = asked(config.log.as_ref(), &env::var("RUST_LOG").unwrap_or_default());
    registry().with(layer.with_filter(targets(&asked))).init();
    if let Some(error) = mistake {
        warn!(%error, "RUST_LOG is not understood, so the level is info; write it as for --log, such as info,serving=debug");
    }
    Ok(())
}

/// The targets that the flag asks for, or else the variable, or else the level info; and the error of a variable that is not understood.
fn asked(flag: Option<&Targets>, variable: &str) -> (Targets, Option<ParseError>) {
    let usual = || Targets::new().with_default(LevelFilter::INFO);
    match (flag, variable.trim()) {
        (Some(flag), _) => (flag.clone(), None),
        (None, "") => (usual(), None),
        (None, variable) => match variable.parse() {
            Ok(targets) => (targets, None),
            Err(error) => (usual(), Some(error)),
        },
    }
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
