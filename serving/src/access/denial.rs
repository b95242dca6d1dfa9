//! The line of the log that says why a client is not let in. The client itself learns no more than that a good token is needed.

use std::fmt::Display;

use tracing::{debug, info};

use crate::client_address::ClientAddress;
use crate::log_budget::ClientLine;

/// Logs the reason: at info, unless so many come that the log would cost more than the answers.
pub(crate) fn log(reason: &dyn Display, client: Option<ClientAddress>) {
    let client = client.map(tracing::field::display);
    if ClientLine::Message.is_in_budget() {
        info!(client, "not let in: {reason}");
    } else {
        debug!(client, "not let in: {reason}");
    }
}
