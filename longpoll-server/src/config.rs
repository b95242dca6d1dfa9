//! The service's flags.

use std::net::SocketAddr;
use std::time::Duration;

use crate::Backplanes;
use clap::Parser;
use serving::config::{Command, CommonConfig};
use shared::duration::period;

/// Pushes messages to its clients by long polling
///
/// Clients ask by GET /poll and are answered when there is a message; they publish by POST /messages. Every flag has an environment variable.
/// Durations are written as 5s, 250ms or 1m30s, sizes as 64 KiB or 1 MiB.
#[derive(Debug, Clone, Parser)]
#[command(version)]
pub struct Config {
    #[command(subcommand)]
    #[allow(missing_docs)]
    pub command: Option<Command>,
    /// The address to listen on
    #[arg(long, global = true, env = "PUSH_LISTEN", value_name = "IP:PORT", default_value = "0.0.0.0:3000")]
    pub listen: SocketAddr,
    /// The text that --tick publishes; {time} is the local time
    #[arg(long, env = "PUSH_TICK_TEXT", value_name = "TEXT", default_value = "New message")]
    pub tick_text: String,
    /// The longest time that a request is held, where it does not say; with `since`, up to 20 % less at random
    #[arg(long, env = "PUSH_HOLD", value_name = "DURATION", default_value = "25s", value_parser = period)]
    pub hold: Duration,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub common: CommonConfig,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub backplanes: Backplanes,
}
