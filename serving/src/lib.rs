//! Serving: the parts of a push server beside its method, such as flags, logging, HTTP, drain and pages.
//!
//! In reading order:
//! - [`command_line`], [`config`], [`listen`], [`logging`] (with [`log_writer`], [`log_budget`]), [`healthcheck`],
//!   [`signals`], [`runtime`]: the process
//! - [`tls`]: certificates; [`server`]: accepting connections until the service is to stop; [`drain`]: shutting down; `reuse_port`: handing over
//!   the address
//! - [`access`]: who may publish and subscribe
//! - [`app`]: a running service; `admission`, `overflow`, `address_limit`, `body_budget`, `cors`: the decision on a connection
//!   and on a request; [`client_address`], `publisher`: whom they count, [`publish_rate`]: how
//!   fast each may publish, and `key_shares`: how many idempotency keys each may use; [`refusal`]: the
//!   reasons for not publishing or subscribing
//! - [`connection`]: everything that speaks HTTP
//! - [`routes`]: everything that answers; [`request`], [`query`], `headers`: questions; [`json_object`]; [`reply`], [`error`],
//!   [`page`]: answers
//! - [`metrics`]: what is counted and measured; `admin`: the port of those who run the service, with `gap_log` and
//!   `inquiry`: who has lost messages, and who reads slowly; [`traces`]: what a message went through
//! - `fuzzing`: checks of what reads the bytes of clients

pub mod access;
mod address_limit;
mod admin;
mod admission;
pub mod app;
mod body_budget;
mod body_turns;
pub mod client_address;
pub mod command_line;
pub mod config;
pub mod connection;
mod cors;
pub mod drain;
mod entity_tag;
pub mod error;
mod error_chain;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod gap_log;
mod headers;
pub mod healthcheck;
mod inquiry;
pub mod json_object;
mod key_shares;
pub mod listen;
pub mod log_budget;
pub mod log_writer;
pub mod logging;
pub mod metrics;
mod overflow;
pub mod page;
mod per_second;
pub mod publish_rate;
mod publisher;
pub mod query;
mod readiness;
pub mod refusal;
pub mod reply;
pub mod request;
mod reuse_port;
pub mod routes;
pub mod runtime;
pub mod server;
pub mod signals;
pub mod tls;
pub mod traces;
