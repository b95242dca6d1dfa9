//! The flags of `push doctor`.

use std::time::Duration;

use clap::Args;
use reqwest::Url;
use shared::duration::period;

use crate::connection::{Identity, base_url};

/// Finds out what gets through to a service, what is in the way, and what to change
///
/// Ask from where the clients are, through whatever is between: a proxy, a load balancer, a content delivery network. It checks
/// whether the service is there and ready, and its clock; a WebSocket; a stream of Server-Sent Events, and whether something holds it
/// back; a long poll that is held; and the headers that were lost or added on the way. With --publish, also a publication, its
/// idempotency key, and the time until it comes by each method.
///
/// On a terminal, findings are shown in words; in a pipe, or with --json, each is a line of JSON:
/// {"check":…,"outcome":"good"|"warning"|"bad"|"absent","detail":…,"advice":…}.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The base URL, such as `https://push.example.org`
    #[arg(value_name = "URL", value_parser = base_url)]
    pub(super) url: Url,
    /// A topic to follow; with a token, one that it allows
    #[arg(long, value_name = "TOPIC", default_value = "main")]
    pub(super) topic: String,
    /// Publish a message on the topic, and see it come: its followers get it too
    #[arg(long)]
    pub(super) publish: bool,
    /// The time in which the service has to answer, the first event of a stream to come, or a message that was published
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = period)]
    pub(super) patience: Duration,
    /// The whole seconds for which a poll is held; 55s, the longest time, finds proxies that give up too early
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = hold)]
    pub(super) hold: Duration,
    /// Write JSON, also on a terminal
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) identity: Identity,
}

fn hold(text: &str) -> Result<Duration, String> {
    let hold = period(text).map_err(|error| error.to_string())?;
    match hold.as_secs() {
        1..=55 if hold.subsec_nanos() == 0 => Ok(hold),
        _ => Err("write whole seconds, 1s to 55s".to_owned()),
    }
}
