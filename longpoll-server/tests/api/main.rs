//! The service over real sockets.

#![allow(clippy::unwrap_used)]

mod access;
mod connection;
mod cursor;
mod delivery;
mod drain;
mod gap;
mod head;
mod helpers;
mod http2;
mod metrics;
mod process;
mod queue;
mod refusal;
mod tls;
mod traces;
