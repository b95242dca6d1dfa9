//! The flags of `push pub`.

use std::time::Duration;

use clap::Args;
use shared::duration::duration;

use crate::connection::Options;

/// The longest time for which a publication is repeated. A service knows its key for two minutes, and a repeat after that would be
/// another message.
const LONGEST: Duration = Duration::from_secs(90);

/// Publishes a text, or with `-` each line of standard input as a message
///
/// Lines are sent in arrays, each under an idempotency key of its own, and one after the other, so that their order is kept and a repeat
/// appends nothing twice. Lines that come slowly are sent at once. A line ends with LF or CRLF, and an empty line is an empty message.
///
/// It writes what was confirmed: for a text {"id":…,"topic":…,"at":…}, for lines
/// {"published":…,"repeated":…,"first":…,"last":…}. When it ends without having published all, it says which lines were confirmed.
#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// The topic, such as orders.new
    #[arg(value_name = "TOPIC")]
    pub(super) topic: String,
    /// The text, or - for the lines of standard input
    #[arg(value_name = "TEXT", allow_hyphen_values = true)]
    pub(super) text: String,
    /// A name for this kind of message
    #[arg(long, value_name = "NAME")]
    pub(super) event: Option<String>,
    /// The idempotency key, so that the same command can be repeated within two minutes; without it, a random one
    ///
    /// With lines, each array has the key with the numbers of its lines. Arrays are then filled up before they are sent, so that the
    /// same lines make the same arrays.
    #[arg(long, value_name = "KEY")]
    pub(super) key: Option<String>,
    /// Repeat a publication for so long, until it is confirmed; at most 90s, since a service knows a key for two minutes
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = limit)]
    pub(super) retry_for: Duration,
    /// Write JSON, also on a terminal
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) options: Options,
}

fn limit(text: &str) -> Result<Duration, String> {
    match duration(text).map_err(|error| error.to_string())? {
        limit if limit <= LONGEST => Ok(limit),
        _ => Err("at most 90s: a service knows a key for two minutes".to_owned()),
    }
}
