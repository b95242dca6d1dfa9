//! The things that a client's request has brought: its address, its subject, and rights that end.

use std::sync::Arc;

use shared::traceparent::Traceparent;
use tokio::time::Instant;

use super::super::brought::Brought;
use super::super::expiry::Expiry;
use super::Client;
use crate::client_address::ClientAddress;
use crate::traces::SpanClient;

impl Client {
    /// Sets what the client's request has brought.
    pub(crate) fn set_brought(&mut self, brought: Brought) {
        let of_peer = self.peer.client_address();
        let brought = Brought { address: brought.address.filter(|address| Some(*address) != of_peer), ..brought };
        if !brought.is_nothing() || self.brought.is_some() {
            self.change_brought(brought);
        }
    }

    /// Sets the end of the rights that have taken the place of those before. `None` if they do not end.
    pub fn renew_until(&mut self, at: Option<Instant>) {
        let before = self.brought.take().map(|brought| *brought).unwrap_or_default();
        self.change_brought(Brought { expiry: at.map(Expiry::renewed), ..before });
    }

    fn change_brought(&mut self, brought: Brought) {
        self.brought = (!brought.is_nothing()).then(|| Box::new(brought));
        // The events may be due already.
        self.bell.keep_rung();
        self.set_timer();
    }

    /// The address by which the client is counted: the one that a trusted proxy reports, or that of its connection. `None` for a client in
    /// memory.
    pub fn client_address(&self) -> Option<ClientAddress> {
        self.brought.as_ref().and_then(|brought| brought.address).or(self.peer.client_address())
    }

    /// The address, for people: with the port, if it is that of the connection.
    pub(super) fn address_text(&self) -> String {
        match self.brought.as_ref().and_then(|brought| brought.address) {
            Some(address) => address.to_string(),
            None => self.peer.to_string(),
        }
    }

    /// The end of the client's rights. `None` if they do not end.
    pub fn expires_at(&self) -> Option<Instant> {
        self.expiry().map(Expiry::at)
    }

    pub(super) fn expiry(&self) -> Option<&Expiry> {
        self.brought.as_ref()?.expiry.as_ref()
    }

    pub(super) fn expiry_mut(&mut self) -> Option<&mut Expiry> {
        self.brought.as_mut()?.expiry.as_mut()
    }

    /// The subject of its token.
    pub(super) fn subject(&self) -> Option<&Arc<str>> {
        self.brought.as_ref()?.subject.as_ref()
    }

    /// The operation that has sent its request.
    pub(super) fn traceparent(&self) -> Option<Traceparent> {
        self.brought.as_ref()?.traceparent
    }

    /// The client, as spans name it.
    pub(super) fn in_spans(&self) -> SpanClient<'_> {
        SpanClient { address: self.client_address(), subject: self.subject() }
    }

    /// Returns whether the client's rights have ended so long ago that it is to be cut off, whatever still waits for it.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.expiry().is_some_and(|expiry| expiry.cut_off() <= Instant::now())
    }

    /// The session has written its end: the client is not cut off any more when its rights have ended, once it has taken that.
    pub fn end_in_order(&mut self) {
        if let Some(expiry) = self.expiry_mut() {
            expiry.end();
        }
    }
}
