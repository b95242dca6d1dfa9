//! The other end of a connection.

use std::fmt;
use std::net::SocketAddr;

/// The address of a client, as it was when the connection was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A client at an address of the network.
    Address(SocketAddr),
    /// A client in the same process: a test.
    InMemory,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::InMemory => f.write_str("in memory"),
        }
    }
}
