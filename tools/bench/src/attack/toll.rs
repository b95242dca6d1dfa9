//! The counters of an attack: what it asked for, and how it was answered.

use std::sync::atomic::{AtomicU64, Ordering};

/// Nothing is ordered by these counters.
const ORDER: Ordering = Ordering::Relaxed;

#[derive(Debug, Default)]
pub(super) struct Toll {
    connections: AtomicU64,
    served: AtomicU64,
    refused: AtomicU64,
    closed: AtomicU64,
}

impl Toll {
    pub(super) fn connected(&self) {
        self.connections.fetch_add(1, ORDER);
    }

    pub(super) fn answered(&self, status: u16) {
        let counter = if status < 400 { &self.served } else { &self.refused };
        counter.fetch_add(1, ORDER);
    }

    /// The server has ended a connection.
    pub(super) fn closed(&self) {
        self.closed.fetch_add(1, ORDER);
    }

    /// Connections that were opened.
    pub(super) fn connections(&self) -> u64 {
        self.connections.load(ORDER)
    }

    /// Requests that were answered as a client wishes.
    pub(super) fn served(&self) -> u64 {
        self.served.load(ORDER)
    }

    /// Requests that were answered by an error.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(ORDER)
    }

    /// Connections that the server has ended.
    pub(super) fn ended(&self) -> u64 {
        self.closed.load(ORDER)
    }
}
