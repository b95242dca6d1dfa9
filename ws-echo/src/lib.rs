//! Pushes messages over WebSocket (RFC 6455), and echoes.
//!
//! | endpoint | |
//! | --- | --- |
//! | `GET /feed?topic=…&since=…`, upgraded | the feed: messages as they come, and publishing |
//! | `GET /`, upgraded | the echo |
//! | `GET /`, `/compare` | pages for people |
//! | `/messages`, `/livez`, `/readyz` | as on every service: see [`serving::routes`] |
//!
//! In reading order: `main` (the process), [`run`], `config` (flags), `routes` (who answers what), `session` (a
//! WebSocket from handshake to close), `feed` and `echo` (what is said on it), `reader` and `frame` (the frames, in and
//! out), `close` (the close codes).

mod close;
mod config;
mod echo;
mod feed;
mod frame;
mod reader;
mod routes;
mod session;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use clap::Args;
pub use config::Config;
use serving::app::App;
use serving::config::CommonConfig;
use serving::server::ServeError;
use shared::backplane::{Backplane, Fatal, Memory};
use shared::hub::Hub;

/// Serves on a listener until `stop`, then drains.
///
/// # Errors
/// When the flags contradict each other or the system leaves no room to serve.
pub async fn run(listener: TcpListener, config: Config, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
    let (backplane, hub) = config.backplanes.open(&config.common, Duration::ZERO)?;
    let app = App::new(config.common, backplane, hub)?;
    let routes = routes::routes(&app, config.reply_prefix.into());
    serving::server::serve(listener, app, routes, config.tick_text, stop).await
}

/// The flags of the backplanes that this build has beside memory.
#[derive(Debug, Clone, Args)]
pub struct Backplanes {
    #[cfg(feature = "nats")]
    #[command(flatten, next_help_heading = "NATS")]
    #[allow(missing_docs)]
    pub nats: backplane_nats::NatsConfig,
}

impl Backplanes {
    /// Opens the history that the flags name; without any, one in memory.
    fn open(&self, config: &CommonConfig, gather: Duration) -> Result<(Arc<dyn Backplane>, Hub), Fatal> {
        let limits = config.history.limits();
        #[cfg(feature = "nats")]
        if self.nats.is_asked_for() {
            let max_message_bytes = config.input.max_message_bytes.as_u64();
            let (nats, hub) =
                backplane_nats::Nats::new(&self.nats, limits, max_message_bytes, gather).map_err(Fatal::new)?;
            return Ok((Arc::new(nats), hub));
        }
        let (memory, hub) = Memory::new(limits, config.history.idempotency_keys);
        Ok((Arc::new(memory.gather_for(gather)), hub))
    }
}
