//! The publisher by whom publications are counted.

use std::sync::Arc;

use crate::client_address::ClientAddress;

/// The subject of a token, wherever its bearer is; or the address of a client without one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Publisher {
    Subject(Arc<str>),
    Address(ClientAddress),
}

impl From<ClientAddress> for Publisher {
    fn from(address: ClientAddress) -> Self {
        Self::Address(address)
    }
}
