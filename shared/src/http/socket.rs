//! The client's end of a connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// The most that is kept of what a client sends while its request is being held.
const MAX_UNREAD: usize = 64 * 1024;

/// A client's connection. Writing fails with [`io::ErrorKind::TimedOut`] once the client has taken no byte for the write
/// time-out.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    /// What has been taken off the stream and not been read.
    unread: BytesMut,
    write_timeout: Duration,
    /// Runs from when the client began to take nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

/// What to do with bytes that a client sends before it has its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// They are its next request.
    Keep,
    /// There is no next request.
    Discard,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, write_timeout: Duration) -> Self {
        Self { stream, unread: BytesMut::new(), write_timeout, stalled: None }
    }

    /// Puts back what was read too far.
    pub(super) fn unread(&mut self, bytes: Bytes) {
        if self.unread.is_empty() {
            self.unread = BytesMut::from(bytes);
        } else {
            let later = self.unread.split();
            self.unread.extend_from_slice(&bytes);
            self.unread.extend_from_slice(&later);
        }
    }

    /// Waits until the client has gone: it closed its side or the connection broke.
    pub async fn gone(&mut self, unread: Unread) {
        loop {
            // A client that never stops sending must not keep this task, or a time-out around it, from anything else.
            tokio::task::coop::consume_budget().await;
            if self.stream.readable().await.is_err() {
                return;
            }
            // After the wait, so that no waiting connection holds it.
            let mut buffer = [0; 1024];
            match self.stream.try_read(&mut buffer) {
                Ok(0) => return,
                Ok(_) if unread == Unread::Discard => {}
                Ok(n) if self.unread.len() + n > MAX_UNREAD => return,
                Ok(n) => self.unread.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }

    /// Writes the parts one after the other, in as few system calls as the client allows.
    ///
    /// # Errors
    /// When the connection broke, or the client took nothing for the write time-out.
    pub async fn write_parts<'a>(&mut self, parts: impl IntoIterator<Item = &'a [u8]>) -> io::Result<()> {
        let mut slices: Vec<IoSlice<'a>> = parts.into_iter().map(IoSlice::new).collect();
        let mut rest = &mut slices[..];
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            let written = std::future::poll_fn(|cx| Pin::new(&mut *self).poll_write_vectored(cx, rest)).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            IoSlice::advance_slices(&mut rest, written);
        }
        Ok(())
    }

    /// Closes so that the client can still read what it was sent: a socket that is closed with bytes unread is reset.
    pub(super) async fn close(mut self, patience: Duration) {
        if self.shutdown().await.is_ok() {
            // An error is the time being over, and either way this is the end.
            let _ = tokio::time::timeout(patience, self.gone(Unread::Discard)).await;
        }
    }

    /// Ends the wait of a write that made no progress for too long.
    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let timeout = self.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing")))
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let n = self.unread.len().min(buf.remaining());
        buf.put_slice(&self.unread[..n]);
        self.unread.advance(n);
        if self.unread.is_empty() {
            self.unread = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(cx, buf) {
            Poll::Pending => self.poll_stalled(cx),
            ready => {
                self.stalled = None;
                ready
            }
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write_vectored(cx, bufs) {
            Poll::Pending => self.poll_stalled(cx),
            ready => {
                self.stalled = None;
                ready
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing is buffered here.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_client_that_never_stops_sending_does_not_keep_the_task() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut socket = Socket::new(listener.accept().await.unwrap().0, Duration::from_secs(1));
        // As much as the system takes.
        while client.writable().now_or_never().is_some() && client.try_write(&[b'x'; 64 * 1024]).is_ok() {}

        socket.stream.readable().await.unwrap();
        assert!(socket.gone(Unread::Discard).now_or_never().is_none());
        assert!(socket.stream.try_read(&mut [0]).is_ok(), "everything was read in one go");
    }
}
