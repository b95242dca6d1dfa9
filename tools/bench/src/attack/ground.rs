//! The knowledge of an attacker about the service.

use std::net::SocketAddr;
use std::sync::Arc;

use super::site::Site;
use super::toll::Toll;
use crate::load::{Door, handshake};
use crate::target::Method;

/// The topic of attackers, and the first token of their topics. Honest clients do not follow it.
pub(super) const TOPIC: &str = "attack";

#[derive(Debug)]
pub(super) struct Ground {
    pub(super) address: SocketAddr,
    pub(super) method: Method,
    pub(super) site: Arc<Site>,
    pub(super) toll: Toll,
}

impl Ground {
    /// The lines of headers of a request: an attacker has no token.
    pub(super) fn headers(&self) -> String {
        Door::default().headers(&self.address.to_string())
    }

    /// A request without a body.
    pub(super) fn get(&self, path: &str) -> Vec<u8> {
        format!("GET {path} HTTP/1.1\r\n{}\r\n", self.headers()).into_bytes()
    }

    /// The head of a publication on the attackers' topic.
    pub(super) fn post(&self, content_type: &str, length: usize) -> Vec<u8> {
        format!(
            "POST /messages?topic={TOPIC} HTTP/1.1\r\n{}Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n",
            self.headers()
        )
        .into_bytes()
    }

    /// The request of a subscriber by the service's method.
    pub(super) fn follow(&self, query: &str) -> Vec<u8> {
        self.follow_with(query, "")
    }

    /// As [`Ground::follow`], with further lines of headers.
    pub(super) fn follow_with(&self, query: &str, further: &str) -> Vec<u8> {
        let headers = self.headers() + further;
        match self.method {
            Method::Ws => handshake(&self.follow_path(query), &headers),
            _ => format!("GET {} HTTP/1.1\r\n{headers}\r\n", self.follow_path(query)).into_bytes(),
        }
    }

    /// The path of a subscriber by the service's method.
    pub(super) fn follow_path(&self, query: &str) -> String {
        match self.method {
            Method::Ws => format!("/feed?{query}"),
            Method::Sse => format!("/events?{query}"),
            Method::Poll => format!("/poll?{query}&limit=1000"),
        }
    }
}
