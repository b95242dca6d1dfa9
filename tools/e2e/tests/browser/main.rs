//! The pages, as a person uses them in a browser.
//!
//! - `access`: a page of another origin and a closed service
//! - `http2`: many streams on one connection
//! - `pages`: each service's page, and properties that all pages share
//! - `plain`: clients as simple as possible, without cursors
//! - `native`: `EventSource` alone, while the service restarts, is full, or has no history
//! - `push_js`: the client library
//! - `reconnect`: the network is cut, a service is restarted
//! - `compare`: the page with the three services side by side
//! - `debug`: the page of those who run a service

mod access;
mod compare;
mod debug;
mod http2;
mod native;
mod pages;
mod plain;
mod push_js;
mod reconnect;

/// The list of messages on a service's own page.
const LIST: &str = "#messages";
/// The connection's state on a service's own page.
const STATE: &str = "#state";
