//! Measures push servers.
//!
//! `bench cuts`: what clients get when their connections are cut. A command is a module of its own; what several need lies
//! beside them:
//!
//! - [`cuts`]: the command, its parts below it
//! - [`target`]: how a server is spoken to, from a description; `service`: a server's process
//! - `http`: requests over one connection; `stats`: percentiles

pub mod cuts;
mod http;
mod service;
mod stats;
pub mod target;

pub use service::Service;
pub use stats::Percentiles;
