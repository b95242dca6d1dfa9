//! The other end of a connection.

use std::fmt;
use std::net::SocketAddr;

use crate::client_address::ClientAddress;

/// The address of a client, as it was when the connection was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A client at an address of the network.
    Address(SocketAddr),
    /// A client in the same process: a test.
    InMemory,
}

impl Peer {
    /// The address by which the client is counted, unless a proxy reports another. `None` for a client in memory.
    pub fn client_address(self) -> Option<ClientAddress> {
        match self {
            Self::Address(address) => Some(address.ip().into()),
            Self::InMemory => None,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::InMemory => f.write_str("in memory"),
        }
    }
}
