//! Pushes messages by long polling: a request is held until there is something to answer.
//!
//! | endpoint | |
//! | --- | --- |
//! | `GET /poll?since=C&topic=…&limit=N&wait=S` | what comes after a cursor; nothing is lost |
//! | `GET /poll?topic=T` | the next message of a queue that all such callers share |
//! | `GET /`, `/compare` | pages for people |
//! | `/messages`, `/livez`, `/readyz` | as on every service: see [`shared::http`] |
//!
//! In reading order: `main` (the process), [`run`], `config` (flags), `routes` (who answers what), `poll` (the method,
//! with a cursor), `queue` (the method, without).

mod config;
mod poll;
mod queue;
mod routes;

use std::future::Future;
use std::sync::Arc;

use tokio::net::TcpListener;

pub use config::Config;
use shared::app::App;

/// Serves on a listener until `stop`, then drains.
///
/// # Errors
/// When the flags contradict each other or the system leaves no room to serve.
pub async fn run(listener: TcpListener, config: Config, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let app = App::new(config.common, poll::encode, poll::GATHER)?;
    let poll = Arc::new(poll::Poll::new(Arc::clone(&app), config.hold));
    let routes = routes::routes(&app, &poll);
    shared::http::serve(listener, app, routes, config.tick_text, stop).await
}
