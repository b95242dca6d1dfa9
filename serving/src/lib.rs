//! Serving: the parts of a push server beside its method, such as flags, logging, HTTP, drain and pages.
//!
//! In reading order:
//! - [`command_line`], [`config`], [`listen`], [`logging`], [`healthcheck`], [`signals`]: the process
//! - [`server`]: accepting connections until the service is to stop; [`drain`]: shutting down
//! - [`app`]: a running service; `admission`, `cors`: the decision on a request; [`refusal`]: the reasons for not
//!   publishing or subscribing
//! - [`connection`]: everything that speaks HTTP
//! - [`routes`]: everything that answers; [`request`], [`query`], `headers`: questions; [`reply`], [`error`], [`page`]:
//!   answers

mod admission;
pub mod app;
pub mod command_line;
pub mod config;
pub mod connection;
mod cors;
pub mod drain;
pub mod error;
mod headers;
pub mod healthcheck;
pub mod listen;
pub mod logging;
pub mod page;
pub mod query;
mod readiness;
pub mod refusal;
pub mod reply;
pub mod request;
pub mod routes;
pub mod server;
pub mod signals;
