//! The parts that the tests of several crates share.
//!
//! - A service in this process ([`Server`]) or as one of its own ([`Process`], [`ServiceProgram`]), and a NATS server
//!   ([`NatsProcess`]).
//! - A collector of traces ([`Collector`]).
//! - Clients: [`client()`] speaks HTTP, [`tls`] has clients and certificates of TLS, [`RawClient`] sends any bytes, [`publish()`] and its
//!   like publish, [`tokens`] has tokens for them.
//! - The tests that every service has to pass, generic over the [`Service`]: [`lifecycle`], [`delivery`], [`gap`],
//!   [`connection`], [`drain`], [`refusal`], [`limits`], [`access`], [`keys`], [`certificate`], [`metrics`], [`debug`], [`log`],
//!   [`traces`]. [`behaviours`] makes tests of them. They panic where a service fails.
//! - The checks of `tools/fuzz` as tests ([`fuzzing`]), on seeds and on [`damage`] to them.
//!
//! Nothing here depends on the services; a test hands in its service.

pub mod access;
pub mod certificate;
mod client;
mod collector;
pub mod connection;
pub mod damage;
pub mod debug;
pub mod delivery;
pub mod drain;
pub mod fuzzing;
pub mod gap;
mod huge;
pub mod keys;
pub mod lifecycle;
pub mod limits;
pub mod log;
pub mod metrics;
mod nats_process;
mod process;
mod publish;
mod raw;
pub mod refusal;
mod server;
mod service;
mod service_program;
mod soon;
pub mod tls;
pub mod tokens;
pub mod traces;

pub use client::{client, client_builder};
pub use collector::{CollectedSpan, Collector};
pub use drain::begin_stop;
pub use huge::{HUGE, HUGE_ALLOWED, huge};
pub use nats_process::NatsProcess;
pub use nix::sys::signal::Signal;
pub use process::{Exit, Process};
pub use publish::{publish, publish_array, publish_at, publish_each, publish_json};
pub use raw::{RawClient, get};
pub use refusal::assert_refused;
pub use server::{Server, Stop};
pub use service::{Follower, Received, Service, Streaming};
pub use service_program::{ServiceProgram, signal};
pub use soon::{PATIENCE, soon};
