//! The bytes that a client has not taken yet.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::time::Instant;

/// Parts that wait to be written, and how long nothing of them was taken.
#[derive(Debug)]
pub(super) struct Unwritten {
    parts: VecDeque<Bytes>,
    since: Instant,
}

impl Unwritten {
    pub(super) fn new(parts: impl IntoIterator<Item = Bytes>) -> Self {
        Self { parts: parts.into_iter().collect(), since: Instant::now() }
    }

    pub(super) fn push(&mut self, parts: impl IntoIterator<Item = Bytes>) {
        self.parts.extend(parts);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The parts, the first of them as far as it is not written.
    pub(super) fn parts(&mut self) -> &mut [Bytes] {
        self.parts.make_contiguous()
    }

    /// Takes off the parts that were written whole. The client has taken something.
    pub(super) fn advance(&mut self, done: usize) {
        self.parts.drain(..done);
        self.since = Instant::now();
    }

    /// The time since which the client has taken nothing.
    pub(super) fn since(&self) -> Instant {
        self.since
    }
}
