//! Many processes that share one history by way of NATS, for tests: real NATS servers, any number of each service, and
//! clients that follow one of them.
//!
//! - `nats_server`: a NATS server as a process, alone or in a cluster
//! - `replica`: a service in this process, and publishing to it
//! - `client`: a client of any method
//! - `partition`: a network that can stop to carry anything

mod client;
mod nats_server;
mod partition;
mod replica;

pub use client::{Client, Told};
pub use nats_server::{NatsCluster, NatsServer};
pub use partition::Partition;
pub use replica::{Answer, Method, Place, Replica};
