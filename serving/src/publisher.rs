//! The publisher by whom publications are counted.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use shared::publisher::PublisherId;

use crate::client_address::ClientAddress;

/// The subject of a token and its issuer, wherever its bearer is; or the address of a client without one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Publisher {
    Subject { subject: Arc<str>, issuer: Option<Arc<str>> },
    Address(ClientAddress),
}

/// Numbers publishers for the history, by hashes that nobody else can foresee.
#[derive(Debug, Default)]
pub(crate) struct PublisherIds(RandomState);

impl PublisherIds {
    pub(crate) fn id(&self, publisher: &Publisher) -> PublisherId {
        PublisherId::from_hash(self.0.hash_one(publisher))
    }
}

impl From<ClientAddress> for Publisher {
    fn from(address: ClientAddress) -> Self {
        Self::Address(address)
    }
}
