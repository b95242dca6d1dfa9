//! Pushes messages over WebSocket (RFC 6455), and echoes.
//!
//! | endpoint | |
//! | --- | --- |
//! | `GET /feed?topic=…&since=…`, upgraded | the feed: messages as they come, and publishing |
//! | `GET /`, upgraded | the echo |
//! | `GET /`, `/compare` | pages for people |
//! | `/messages`, `/livez`, `/readyz` | as on every service: see [`shared::http`] |
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
    let app = App::new(config.common, frame::encode_message, Duration::ZERO)?;
    let routes = routes::routes(&app, config.reply_prefix.into());
    shared::http::serve(listener, app, routes, config.tick_text, stop).await
}
