//! Pushes messages as Server-Sent Events (WHATWG HTML, section 9.2).
//!
//! | endpoint | |
//! | --- | --- |
//! | `GET /events?topic=…&since=…` | the stream |
//! | `GET /`, `/compare` | pages for people |
//! | `/messages`, `/livez`, `/readyz` | as on every service: see [`shared::http`] |
//!
//! In reading order: `main` (the process), [`run`], `config` (flags), `routes` (who answers what), `stream` (the method).

mod config;
mod routes;
mod stream;

use std::future::Future;
use std::time::Duration;

use tokio::net::TcpListener;

pub use config::Config;
use shared::app::App;

/// Serves on a listener until `stop`, then drains.
///
/// # Errors
/// When the flags contradict each other or the system leaves no room to serve.
pub async fn run(listener: TcpListener, config: Config, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let app = App::new(config.common, stream::encode, Duration::ZERO)?;
    let routes = routes::routes(&app);
    shared::http::serve(listener, app, routes, config.tick_text, stop).await
}
