//! Serving: the parts of a push server beside its method, such as flags, logging, HTTP, drain and pages.
//!
//! In reading order:
//! - [`config`], [`logging`] (with [`log_writer`], [`log_budget`]), [`healthcheck`], [`signals`]: the process
//! - [`server`]: accepting connections until the service is to stop; [`drain`]: shutting down; `reuse_port`: handing over the address
//! - [`app`]: a running service; `admission`, `overflow`, `body_budget`, `cors`: who is served; [`refusal`]: who is not
//! - [`connection`]: everything that speaks HTTP
//! - [`routes`]: everything that answers; [`request`], [`query`], `headers`: what was asked; [`reply`], [`error`],
//!   [`page`]: what is answered

mod admission;
pub mod app;
mod body_budget;
pub mod config;
pub mod connection;
mod cors;
pub mod drain;
pub mod error;
mod headers;
pub mod healthcheck;
pub mod log_budget;
pub mod log_writer;
pub mod logging;
mod overflow;
pub mod page;
pub mod query;
pub mod refusal;
pub mod reply;
pub mod request;
mod reuse_port;
pub mod routes;
pub mod server;
pub mod signals;
