//! The service's flags.

use std::net::SocketAddr;

use crate::Backplanes;
use clap::Parser;
use serving::config::{Command, CommonConfig};

/// Pushes messages to its clients over WebSocket, and echoes
///
/// Clients follow the feed by a WebSocket at /feed, and publish over it or by POST /messages. A WebSocket at / echoes.
/// Every flag has an environment variable. Durations are written as 5s, 250ms or 1m30s, sizes as 64 KiB or 1 MiB.
#[derive(Debug, Clone, Parser)]
#[command(version)]
pub struct Config {
    #[command(subcommand)]
    #[allow(missing_docs)]
    pub command: Option<Command>,
    /// The address to listen on
    #[arg(long, global = true, env = "PUSH_LISTEN", value_name = "IP:PORT", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// The text that the echo puts before each text; may be empty
    #[arg(long, env = "PUSH_REPLY_PREFIX", value_name = "TEXT", default_value = "服务器回应：")]
    pub reply_prefix: String,
    /// The text that --tick publishes; {time} is the local time
    #[arg(long, env = "PUSH_TICK_TEXT", value_name = "TEXT", default_value = "New message at {time}")]
    pub tick_text: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub common: CommonConfig,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub backplanes: Backplanes,
}
