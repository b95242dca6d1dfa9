//! The flags of `push top`.

use std::time::Duration;

use clap::Args;
use reqwest::Url;
use shared::duration::period;

use crate::connection::{Identity, base_url};

/// Shows the figures of services, again and again: connections, messages, delays, gaps, the slowest readers
///
/// The figures are those of /metrics. Where a service has --admin-listen, name that address: /metrics is there alone, and so is
/// /debug.json, which has the slowest readers. On a terminal it is a table; in a pipe, or with --json, each refresh is a line of JSON,
/// {"at":…,"services":[…]}, with null for what is not known. Rates are those since the refresh before. A service that cannot be reached
/// is shown as such.
#[derive(Debug, Args)]
pub(crate) struct Top {
    /// The URLs of services, or of their --admin-listen; without any, the three services on this machine
    #[arg(value_name = "URL", env = "PUSH_URL", value_delimiter = ',', value_parser = base_url)]
    pub(super) urls: Vec<Url>,
    /// The time between two refreshes
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = period)]
    pub(super) interval: Duration,
    /// Show the figures once, and end: with exit code 1 if a service could not be reached
    #[arg(long)]
    pub(super) once: bool,
    /// Write JSON, also on a terminal
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) identity: Identity,
}
