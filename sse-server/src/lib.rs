//! Pushes messages as Server-Sent Events (WHATWG HTML, section 9.2).
//!
//! | endpoint | |
//! | --- | --- |
//! | `GET /events?topic=…&since=…` | the stream |
//! | `GET /`, `/compare` | pages for people |
//! | `/messages`, `/livez`, `/readyz` | as on every service: see [`serving::routes`] |
//!
//! In reading order: `main` (the process), [`run`], [`Config`] (the choice of the history), `config` (flags), `routes`
//! (the handlers), `stream` (the method), `format` (the bytes), `fuzzing` (checks of them against other decoders).

mod config;
pub mod format;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod routes;
mod stream;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use clap::Parser;
pub use config::Flags;
use serving::app::App;
use serving::metrics::Method;
use serving::server::ServeError;
use shared::backplane::{Backplane, Fatal, Memory};
use shared::hub::Hub;

/// The time that the messages of a burst have to join the first one of them: none, since each is delivered as it comes.
const GATHER: Duration = Duration::ZERO;

/// Serves on a listener until `stop`, then drains.
///
/// # Errors
/// When the flags contradict each other, the system allows too few descriptors, or the backplane cannot start or go on.
pub async fn run(listener: TcpListener, config: Config, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
    let (backplane, hub) = config.open_history()?;
    let flags = config.flags;
    let app = App::new(flags.common, Method::ServerSentEvents, backplane, hub)?;
    let routes = routes::routes(&app);
    serving::server::serve(listener, app, routes, flags.tick_text, stop).await
}

/// Pushes messages to its clients as Server-Sent Events
///
/// Clients follow a stream by GET /events and publish by POST /messages. Every flag has an environment variable.
/// Durations are written as 5s, 250ms or 1m30s, sizes as 64 KiB or 1 MiB.
#[derive(Debug, Clone, Parser)]
#[command(version)]
pub struct Config {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub flags: Flags,
    #[cfg(feature = "sqlite")]
    #[command(flatten, next_help_heading = "SQLite")]
    #[allow(missing_docs)]
    pub sqlite: backplane_sqlite::SqliteConfig,
    #[cfg(feature = "nats")]
    #[command(flatten, next_help_heading = "NATS")]
    #[allow(missing_docs)]
    pub nats: backplane_nats::NatsConfig,
}

impl Config {
    /// The threads beside those of the runtime that may take a core each: the writer of a file.
    pub fn busy_threads(&self) -> usize {
        #[cfg(feature = "sqlite")]
        if self.sqlite.is_asked_for() {
            return 1;
        }
        0
    }

    /// Gives the history that the flags name a new epoch.
    ///
    /// # Errors
    /// When they name none that has epochs of its own, or it cannot be written.
    pub fn begin_epoch(&self) -> Result<(), Fatal> {
        #[cfg(feature = "sqlite")]
        if self.sqlite.is_asked_for() {
            let epoch = backplane_sqlite::new_epoch(&self.sqlite).map_err(Fatal::new)?;
            println!("the new epoch is {epoch}; clients with an older cursor are sent a gap");
            return Ok(());
        }
        Err(Fatal::new("name the directory of the history with --data"))
    }

    /// Opens the history that the flags name; without any, one in memory.
    fn open_history(&self) -> Result<(Arc<dyn Backplane>, Hub), Fatal> {
        let config = &self.flags.common;
        let limits = config.history.limits();
        #[cfg(all(feature = "sqlite", feature = "nats"))]
        if self.sqlite.is_asked_for() && self.nats.is_asked_for() {
            return Err(Fatal::new(
                "the history is either in the directory of --data or in NATS; leave out --data or --nats",
            ));
        }
        #[cfg(feature = "sqlite")]
        if self.sqlite.is_asked_for() {
            let (keys, max_message_bytes) = (config.history.idempotency_keys, config.input.max_message_bytes.as_u64());
            let sqlite = backplane_sqlite::Sqlite::new(&self.sqlite, limits, keys, max_message_bytes, GATHER);
            let (sqlite, hub) = sqlite.map_err(Fatal::new)?;
            return Ok((Arc::new(sqlite), hub));
        }
        #[cfg(feature = "nats")]
        if self.nats.is_asked_for() {
            let max_message_bytes = config.input.max_message_bytes.as_u64();
            let nats = backplane_nats::Nats::new(&self.nats, limits, max_message_bytes, GATHER);
            let (nats, hub) = nats.map_err(Fatal::new)?;
            return Ok((Arc::new(nats), hub));
        }
        let (memory, hub) = Memory::new(limits, config.history.idempotency_keys);
        Ok((Arc::new(memory.gather_for(GATHER)), hub))
    }
}
