//! What users rely on, through the public API: the hub without a network, everything else over real sockets.

#![allow(clippy::unwrap_used)]

mod answer;
mod service;

mod backplane;
mod hub;

mod admission;
mod bad_request;
mod body;
mod connection;
mod drain;
mod head;
mod health;
mod history;
mod origin;
mod pages;
mod publish;
