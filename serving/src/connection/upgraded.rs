//! The bytes of a WebSocket over HTTP/2 (RFC 8441): one stream of the connection, in both directions.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::reading_pace::Uses;

/// The number of bytes that are read ahead to find out whether there are any.
const AHEAD: usize = 4 * 1024;

/// A stream of a connection over HTTP/2 that has become one of bytes.
pub(crate) struct UpgradedStream {
    io: TokioIo<Upgraded>,
    uses: Arc<Uses>,
    ahead: BytesMut,
    has_ended: bool,
}

impl UpgradedStream {
    pub(super) fn new(upgraded: Upgraded, uses: Arc<Uses>) -> Self {
        Self { io: TokioIo::new(upgraded), uses, ahead: BytesMut::new(), has_ended: false }
    }

    /// Waits until reading finds something.
    pub(super) fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.ahead.is_empty() && !self.has_ended {
            let mut buffer = [0; AHEAD];
            let mut buffer = ReadBuf::new(&mut buffer);
            // An error is an end as well: the stream was reset, or its connection has gone.
            let read = ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer));
            self.uses.note(buffer.filled().len());
            self.has_ended = read.is_err() || buffer.filled().is_empty();
            self.ahead.extend_from_slice(buffer.filled());
        }
        Poll::Ready(())
    }

    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_readable(cx));
        let count = self.ahead.len().min(buf.remaining());
        buf.put_slice(&self.ahead[..count]);
        self.ahead.advance(count);
        if self.ahead.is_empty() {
            self.ahead = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl fmt::Debug for UpgradedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpgradedStream").field("ahead", &self.ahead.len()).finish_non_exhaustive()
    }
}
