//! The parts of tests in which many processes share one history through NATS: real NATS servers, any number of each service,
//! and clients that follow one of them.
//!
//! - `nats_server`: a NATS server as a process, alone or in a cluster
//! - `replica`: a service in this process, and requests to it
//! - `client`: a client of any method
//! - `partition`: a network that can be cut

mod client;
mod nats_server;
mod partition;
mod replica;

pub use client::{Client, Received};
pub use nats_server::{NatsCluster, NatsServer};
pub use partition::Partition;
pub use replica::{Answer, Endpoint, Method, Replica};
