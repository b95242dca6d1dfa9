//! The service's flags.

use clap::Args;
use serving::config::{Command, CommonConfig};
use serving::listen::ListenAddress;

/// The flags of the service, but for those of its backplanes.
#[derive(Debug, Clone, Args)]
pub struct Flags {
    #[command(subcommand)]
    #[allow(missing_docs)]
    pub command: Option<Command>,
    /// The address to listen on: IP:PORT, localhost:PORT, or :PORT for all addresses, IPv6 and IPv4
    #[arg(long, global = true, env = "PUSH_LISTEN", value_name = "ADDRESS", default_value = ":8080")]
    pub listen: ListenAddress,
    /// The text that the echo puts before each text; may be empty
    #[arg(long, env = "PUSH_REPLY_PREFIX", value_name = "TEXT", default_value = "服务器回应：")]
    pub reply_prefix: String,
    /// The text that --tick publishes; {time} is the local time
    #[arg(long, env = "PUSH_TICK_TEXT", value_name = "TEXT", default_value = "New message at {time}")]
    pub tick_text: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub common: CommonConfig,
}
