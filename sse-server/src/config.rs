//! The service's flags.

use std::net::SocketAddr;

use crate::Backplanes;
use clap::Parser;
use serving::config::{Command, CommonConfig};

/// Pushes messages to its clients as Server-Sent Events
///
/// Clients follow a stream by GET /events and publish by POST /messages. Every flag has an environment variable.
/// Durations are written as 5s, 250ms or 1m30s, sizes as 64 KiB or 1 MiB.
#[derive(Debug, Clone, Parser)]
#[command(version)]
pub struct Config {
    #[command(subcommand)]
    #[allow(missing_docs)]
    pub command: Option<Command>,
    /// The address to listen on
    #[arg(long, global = true, env = "PUSH_LISTEN", value_name = "IP:PORT", default_value = "0.0.0.0:3001")]
    pub listen: SocketAddr,
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
