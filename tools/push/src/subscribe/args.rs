//! The flags of `push sub`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use shared::cursor::Position;
use shared::duration::duration;

use crate::connection::{Method, Options};

/// Follows topics: each message once and in order, or a gap that says what is missing
///
/// Over every interruption it comes back and goes on where it was, and says so on standard error. On a terminal, messages are shown in
/// words; in a pipe, or with --json, each is a line of JSON, and so is a gap: {"gap":{"reason":…,"since":…,"cursor":…}}.
///
/// It ends when it is interrupted, after --count messages, when its output is closed, or when the service refuses it.
#[derive(Debug, Args)]
pub(crate) struct Subscribe {
    /// Topics or patterns, such as orders.new, orders.* or 'orders.>'
    #[arg(value_name = "TOPIC", default_value = "main")]
    pub(super) topics: Vec<String>,
    /// The method; without it, the first one that gets through
    #[arg(long, value_enum)]
    pub(super) via: Option<Method>,
    /// The position to begin at: a cursor or the id of a message, `now` or `earliest`
    #[arg(long, value_name = "CURSOR", default_value = "now", value_parser = position)]
    pub(super) since: String,
    /// Keep the cursor in this file, and go on there in a later run; a cursor in the file counts before --since
    ///
    /// The file is replaced as a whole, after what came before the cursor was written to standard output. Where the process is killed, the
    /// next run may show the last messages once more, and writes each one that the run before did not. The file says nothing about a
    /// program at the other end of a pipe: what that one had not dealt with when it ended is not shown again. Such a program should keep
    /// the id of the last message that it has dealt with itself, and hand it in by --since in place of --state.
    #[arg(long, value_name = "FILE")]
    pub(super) state: Option<PathBuf>,
    /// Write JSON, also on a terminal
    #[arg(long)]
    pub(super) json: bool,
    /// End after so many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) count: Option<u64>,
    /// End at the first gap, with exit code 4
    #[arg(long)]
    pub(super) fail_on_gap: bool,
    /// Give up when the service could not be reached for so long, such as 30s; without it, never
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) retry_for: Option<Duration>,
    #[command(flatten)]
    pub(super) options: Options,
}

/// Checks that a text is a position, so that a mistake is found before anything is asked.
pub(crate) fn position(text: &str) -> Result<String, String> {
    match text.parse::<Position>() {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
