//! The things that a client's request has brought, as far as they concern its connection.

use std::sync::Arc;

use shared::traceparent::Traceparent;
use tokio::time::Instant;

use super::expiry::Expiry;
use crate::client_address::ClientAddress;

/// Those of one request. Without a token, a trace and a proxy there are none.
#[derive(Debug, Default)]
pub(crate) struct Brought {
    /// The address that a trusted proxy reports.
    pub(super) address: Option<ClientAddress>,
    /// The subject of the token.
    pub(super) subject: Option<Arc<str>>,
    /// `None` if the rights do not end.
    pub(super) expiry: Option<Expiry>,
    /// The operation of a trace that has sent the request.
    pub(super) traceparent: Option<Traceparent>,
}

impl Brought {
    pub(crate) fn new(
        address: Option<ClientAddress>,
        subject: Option<Arc<str>>,
        expires_at: Option<Instant>,
        traceparent: Option<Traceparent>,
    ) -> Self {
        Self { address, subject, expiry: expires_at.map(Expiry::new), traceparent }
    }

    pub(super) fn is_nothing(&self) -> bool {
        let Self { address, subject, expiry, traceparent } = self;
        address.is_none() && subject.is_none() && expiry.is_none() && traceparent.is_none()
    }
}
