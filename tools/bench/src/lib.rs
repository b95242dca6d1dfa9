//! Measures push servers.
//!
//! A command is a module of its own, and what several need lies beside them:
//!
//! - [`cuts`]: what clients get when their connections are cut
//! - [`fanout`], [`echo`], [`idle`], [`storm`], [`compare`]: speed and memory; [`measure`] is what they have in common, `load`
//!   the connections
//! - [`replicas`]: what a shared history costs
//! - [`limit`]: a server to compare with, as fast as one thread can be; [`plot`]: drawings of what was measured
//! - [`target`]: how a server is spoken to, from a description; `service`, [`process`]: a server's process; `nats`: what
//!   replicas share
//! - `http`: requests over one connection; `stats`, `histogram`: percentiles

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
