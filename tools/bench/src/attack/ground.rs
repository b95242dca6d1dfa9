//! What an attacker knows of the service.

use std::net::SocketAddr;

use super::toll::Toll;
use crate::load::handshake;
use crate::target::Method;

/// The topic of attackers, and the first token of their topics. Honest clients do not follow it.
pub(super) const TOPIC: &str = "attack";

#[derive(Debug)]
pub(super) struct Ground {
    pub(super) address: SocketAddr,
    pub(super) method: Method,
    pub(super) toll: Toll,
}

impl Ground {
    /// A request without a body.
    pub(super) fn get(&self, path: &str) -> Vec<u8> {
        format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address).into_bytes()
    }

    /// The head of a publication on the attackers' topic.
    pub(super) fn post(&self, content_type: &str, length: usize) -> Vec<u8> {
        format!(
            "POST /messages?topic={TOPIC} HTTP/1.1\r\nHost: {}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n",
            self.address
        )
        .into_bytes()
    }

    /// The request of a subscriber by the service's method.
    pub(super) fn follow(&self, query: &str) -> Vec<u8> {
        match self.method {
            Method::Ws => handshake(&format!("/feed?{query}"), &self.address.to_string()),
            Method::Sse => self.get(&format!("/events?{query}")),
            Method::Poll => self.get(&format!("/poll?{query}&limit=1000")),
        }
    }
}
