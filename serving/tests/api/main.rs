//! The promises of every service, over real sockets.

#![allow(clippy::unwrap_used)]

mod answer;
mod random_head;
mod service;

mod admission;
mod bad_request;
mod body;
mod connection;
mod differential;
mod drain;
mod figures;
mod head;
mod health;
mod history;
mod http2;
mod issuer;
mod key_set;
mod origin;
mod pages;
mod publish;
mod push_js;
mod rfc9112;
mod tls;
