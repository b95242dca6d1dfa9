//! Measures push servers.
//!
//! Each command is a module, and the modules that several need lie beside them:
//!
//! - [`cuts`]: what clients receive when their connections are cut
//! - [`attack`]: what honest clients notice of an abusive one
//! - [`fanout`], [`echo`], [`idle`], [`storm`], [`compare`]: speed and memory; [`measure`] is their common part, `load`
//!   the connections
//! - [`publish`]: how many publications are confirmed, by histories in memory, in a file and in NATS
//! - [`replicas`]: the cost of a shared history
//! - [`limit`]: a server to compare with, as fast as one thread can be; [`plot`]: drawings of measurements
//! - [`target`]: the description of a server; `service`, [`process`]: a server's process; `nats`: the server that
//!   replicas share; `folder`: a place for what servers store
//! - `http`: requests over one connection; `history`: what a server has stored; `stats`, `histogram`: percentiles; `arguments`: values of the command line

mod arguments;
pub mod attack;
pub mod compare;
pub mod cuts;
pub mod echo;
pub mod fanout;
mod folder;
mod histogram;
mod history;
mod http;
pub mod idle;
pub mod limit;
pub mod load;
pub mod measure;
mod nats;
pub mod plot;
pub mod process;
pub mod publish;
pub mod replicas;
mod service;
mod stats;
pub mod storm;
pub mod target;

pub use folder::Folder;
pub use history::{History, Next};
pub use nats::{Nats, Sync};
pub use service::Service;
pub use stats::Percentiles;
