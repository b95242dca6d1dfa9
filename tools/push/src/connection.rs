//! The way to a service.
//!
//! - `options`: the flags `--url`, `--token` and so on; `credential`: the token
//! - `service`: requests to one base URL; `web_socket`: the upgrade of one; `trouble`: the ways in which they fail
//! - `retry`: the pauses between attempts, and their end

mod credential;
mod options;
mod retry;
mod service;
mod trouble;
mod web_socket;

pub(crate) use options::{Identity, Method, Options, base_url};
pub(crate) use retry::Retry;
pub(crate) use service::{ANSWER, Service};
pub(crate) use trouble::{Trouble, chain};
pub(crate) use web_socket::WebSocket;
