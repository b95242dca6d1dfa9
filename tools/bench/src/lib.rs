//! Measures push servers.
//!
//! Each command is a module, and the modules that several need lie beside them:
//!
//! - [`cuts`]: what clients receive when their connections are cut
//! - [`attack`]: what honest clients notice of an abusive one
//! - [`fanout`], [`echo`], [`idle`], [`storm`], [`compare`]: speed and memory; [`measure`] is their common part, `load`
//!   the connections
//! - [`replicas`]: the cost of a shared history
//! - [`limit`]: a server to compare with, as fast as one thread can be; [`plot`]: drawings of measurements
//! - [`target`]: the description of a server; `service`, [`process`]: a server's process; `nats`: the server that
//!   replicas share
//! - `http`: requests over one connection; `stats`, `histogram`: percentiles; `arguments`: values of the command line

mod arguments;
pub mod attack;
pub mod compare;
pub mod cuts;
pub mod echo;
pub mod fanout;
mod histogram;
mod http;
pub mod idle;
pub mod limit;
pub mod load;
pub mod measure;
mod nats;
pub mod plot;
pub mod process;
pub mod replicas;
mod service;
mod stats;
pub mod storm;
pub mod target;

pub use nats::Nats;
pub use service::Service;
pub use stats::Percentiles;
