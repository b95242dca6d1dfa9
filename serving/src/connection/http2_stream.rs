//! The bytes of one answer over HTTP/2, on their way from its session to hyper.

use std::collections::VecDeque;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

/// The bytes that a session has written and that hyper has not asked for yet. A session receives its next event once all of it is gone.
#[derive(Debug, Default)]
pub(crate) struct Http2Stream {
    pub(super) head: Option<(StatusCode, HeaderMap)>,
    pub(super) parts: VecDeque<Bytes>,
}

impl Http2Stream {
    /// Takes the head of the answer.
    pub(super) fn begin(&mut self, status: StatusCode, headers: HeaderMap) {
        self.head = Some((status, headers));
    }

    /// Takes parts of the body, which follow each other.
    pub(super) fn push(&mut self, parts: impl IntoIterator<Item = Bytes>) {
        self.parts.extend(parts.into_iter().filter(|part| !part.is_empty()));
    }
}
