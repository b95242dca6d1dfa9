//! Bytes that a client has sent.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};

use super::transport::Transport;

/// The number of bytes that are read at once.
pub(super) const READ: usize = 16 * 1024;

thread_local! {
    /// Bytes that were read lie here until they are taken, so that no connection needs a buffer while it waits.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into());
}

/// The bytes that were taken off the transport and that nobody has read yet.
#[derive(Debug, Default)]
pub(super) struct Input(BytesMut);

impl Input {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes what was kept.
    pub(super) fn take(&mut self) -> BytesMut {
        std::mem::take(&mut self.0)
    }

    /// Puts bytes back before all that was kept.
    pub(super) fn put_back(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            let mut bytes = BytesMut::from(bytes);
            bytes.extend_from_slice(&self.0);
            self.0 = bytes;
        }
    }

    /// Reads what is here, behind what was kept, up to `limit` bytes altogether.
    ///
    /// # Errors
    /// As [`read`], and [`io::ErrorKind::OutOfMemory`] when this would be more than is kept.
    pub(super) fn keep(&mut self, transport: &mut Transport, cx: &mut Context<'_>, limit: usize) -> io::Result<()> {
        let mut fits = true;
        read(transport, cx, |bytes| {
            fits = self.0.len() + bytes.len() <= limit;
            if fits {
                self.0.extend_from_slice(bytes);
            }
        })?;
        let too_much = || io::Error::new(io::ErrorKind::OutOfMemory, "the client sent too much before its answer");
        if fits { Ok(()) } else { Err(too_much()) }
    }

    /// Copies what was kept into a buffer, as far as it fits.
    pub(super) fn copy_to(&mut self, buf: &mut ReadBuf<'_>) {
        let count = self.0.len().min(buf.remaining());
        buf.put_slice(&self.0[..count]);
        self.0.advance(count);
        if self.0.is_empty() {
            self.0 = BytesMut::new();
        }
    }
}

/// Reads what is here, which may be nothing.
///
/// # Errors
/// [`io::ErrorKind::UnexpectedEof`] when the client has closed its side, or the reason why the connection broke.
pub(super) fn read(transport: &mut Transport, cx: &mut Context<'_>, take: impl FnOnce(&[u8])) -> io::Result<()> {
    BUFFER.with_borrow_mut(|buffer| {
        let mut buffer = ReadBuf::new(buffer);
        match Pin::new(transport).poll_read(cx, &mut buffer) {
            Poll::Pending => Ok(()),
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
            Poll::Ready(Ok(())) => {
                take(buffer.filled());
                Ok(())
            }
            Poll::Ready(Err(error)) => Err(error),
        }
    })
}
