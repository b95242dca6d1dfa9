//! The service over real sockets.

#![allow(clippy::unwrap_used)]

mod access;
mod connection;
mod delivery;
mod drain;
mod gap;
mod helpers;
mod http2;
mod metrics;
mod process;
mod refusal;
mod stream;
mod tls;
mod traces;
