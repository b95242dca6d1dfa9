//! The service over real sockets.

#![allow(clippy::unwrap_used)]

mod access;
mod close;
mod connection;
mod delivery;
mod drain;
mod echo;
mod feed;
mod gap;
mod handshake;
mod heartbeat;
mod helpers;
mod http2;
mod metrics;
mod process;
mod raw;
mod rfc6455;
mod tls;
mod traces;
