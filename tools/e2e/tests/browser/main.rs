//! What a person with a browser relies on.
//!
//! - `pages`: each service's page, and what is true of all pages
//! - `plain`: clients as simple as can be, which know nothing of cursors
//! - `reconnect`: the network is cut, a service is restarted
//! - `compare`: the three side by side

mod compare;
mod pages;
mod plain;
mod reconnect;

/// The list of messages on a service's own page.
const LIST: &str = "#messages";
/// The connection's state on a service's own page.
const STATE: &str = "#state";
