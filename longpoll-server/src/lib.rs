//! Pushes messages by long polling: a request is held until there is something to answer.
//!
//! | endpoint | |
//! | --- | --- |
//! | `GET /poll?since=C&topic=…&limit=N&wait=S` | what comes after a cursor; nothing is lost |
//! | `GET /poll?topic=T` | the next message of a queue that all such callers share |
//! | `GET /`, `/compare` | pages for people |
//! | `/messages`, `/livez`, `/readyz` | as on every service: see [`serving::routes`] |
//!
//! In reading order: `main` (the process), [`run`], `config` (flags), `routes` (who answers what), `poll` (the method,
//! with a cursor), `queue` (the method, without).

mod config;
mod poll;
mod queue;
mod routes;

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
    let (backplane, hub) = config.backplanes.open(&config.common, poll::GATHER)?;
    let app = App::new(config.common, backplane, hub)?;
    let poll = Arc::new(poll::Poll::new(Arc::clone(&app), config.hold));
    let routes = routes::routes(&app, &poll);
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
