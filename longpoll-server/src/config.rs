//! The service's flags.

use std::time::Duration;

use clap::Args;
use serving::config::{Command, CommonConfig};
use serving::listen::ListenAddress;
use shared::duration::period;

/// The flags of the service, but for those of its backplanes.
#[derive(Debug, Clone, Args)]
pub struct Flags {
    #[command(subcommand)]
    #[allow(missing_docs)]
    pub command: Option<Command>,
    /// The address to listen on: IP:PORT, localhost:PORT, or :PORT for all addresses, IPv6 and IPv4
    #[arg(long, global = true, env = "PUSH_LISTEN", value_name = "ADDRESS", default_value = ":3000")]
    pub listen: ListenAddress,
    /// The text that --tick publishes; {time} is the local time
    #[arg(long, env = "PUSH_TICK_TEXT", value_name = "TEXT", default_value = "New message")]
    pub tick_text: String,
    /// The longest time that a request is held, where it does not say; with `since`, up to 20 % less at random
    #[arg(long, env = "PUSH_HOLD", value_name = "DURATION", default_value = "25s", value_parser = period)]
    pub hold: Duration,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub common: CommonConfig,
}
