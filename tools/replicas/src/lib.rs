//! The parts of tests in which many processes share one history through NATS: real NATS servers, any number of each service,
//! and clients that follow one of them.
//!
//! - `nats_server`: a NATS server as a process, alone or in a cluster
//! - `replica`: a service in this process, and requests to it
//! - `client`: a client of any method
//! - `slow_readers`: clients that read older messages slowly, and the memory that they cost (also measured by the example
//!   `slow_readers`)
//! - `partition`: a network that can be cut

mod client;
mod nats_server;
mod partition;
mod replica;
mod slow_readers;

pub use client::{Client, Received};
pub use nats_server::{NatsCluster, NatsServer};
pub use partition::Partition;
pub use replica::{Answer, Endpoint, Method, Replica};
pub use slow_readers::{NumberedMessages, SlowReader, resident_memory};
