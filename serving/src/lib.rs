//! Serving: the parts of a push server beside its method, such as flags, logging, HTTP, drain and pages.
//!
//! In reading order:
//! - [`command_line`], [`config`], [`listen`], [`logging`], [`healthcheck`], [`signals`]: the process
//! - [`server`]: accepting connections until the service is to stop; [`drain`]: shutting down
//! - [`app`]: a running service; `admission`, `cors`: who is served; [`refusal`]: who is not
//! - [`connection`]: everything that speaks HTTP
//! - [`routes`]: everything that answers; [`request`], [`query`], `headers`: what was asked; [`reply`], [`error`],
//!   [`page`]: what is answered

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
pub mod refusal;
pub mod reply;
pub mod request;
pub mod routes;
pub mod server;
pub mod signals;
