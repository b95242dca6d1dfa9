//! The client's end of a connection.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use smallvec::SmallVec;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use super::handover::{Ended, Responder};
use super::watch::{Event, Watch};
use crate::drain::Drain;
use shared::hub::Subscriber;

/// The most that is kept of what a client sends while its request is being held.
const MAX_UNREAD: usize = 64 * 1024;

/// How much is read at once.
const READ: usize = 16 * 1024;

thread_local! {
    /// What is read lies here until it is taken in, so that no connection needs a buffer while it waits.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into());
}

/// A client's connection. Writing fails with [`io::ErrorKind::TimedOut`] once the client has taken no byte for the write
/// time-out.
///
/// It goes from hand to hand, so it is no more than a pointer.
#[derive(Debug)]
pub struct Socket(Box<Connection>);

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    watch: Watch,
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
    pub(super) fn new(stream: TcpStream, write_timeout: Duration, drain: Drain) -> Self {
        let watch = Watch::new(drain, Instant::now());
        Self(Box::new(Connection { stream, watch, unread: BytesMut::new(), write_timeout, stalled: None }))
    }

    /// Takes the connection back from somebody else who waited on it.
    pub(super) fn take_back(&mut self) {
        self.0.watch.look_again();
    }

    /// Puts back what was read too far.
    pub(super) fn unread(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            let mut bytes = BytesMut::from(bytes);
            bytes.extend_from_slice(&self.0.unread);
            self.0.unread = bytes;
        }
    }

    pub(super) fn has_unread(&self) -> bool {
        !self.0.unread.is_empty()
    }

    /// Takes what has been read and put back.
    pub fn take_unread(&mut self) -> BytesMut {
        std::mem::take(&mut self.0.unread)
    }

    /// Sets when [`Event::Due`] comes next, in place of the last time set.
    pub fn set_due(&mut self, due: Instant) {
        self.0.watch.set_due(due);
    }

    /// Has no [`Event::Due`] come until a time is set again.
    pub fn never_due(&mut self) {
        const FAR: Duration = Duration::from_secs(30 * 24 * 60 * 60);
        self.set_due(Instant::now() + FAR);
    }

    /// Waits for what happens next on the connection, or for the subscriber to have something to read.
    pub async fn next(&mut self, subscriber: &mut Subscriber) -> Event {
        self.next_or(|cx| subscriber.poll_changed(cx)).await
    }

    /// Waits for what happens next on the connection, or for something else to become ready.
    pub async fn next_or(&mut self, mut news: impl FnMut(&mut Context<'_>) -> Poll<()>) -> Event {
        let Connection { watch, stream, .. } = &mut *self.0;
        poll_fn(|cx| watch.poll_next(cx, stream, &mut news)).await
    }

    /// Reads what the client has sent, as far as it is here: nothing may be. `Err` once the client has gone.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] when the client has closed its side, or what broke the connection.
    pub fn read(&mut self, take: impl FnOnce(&[u8])) -> io::Result<()> {
        let Connection { stream, watch, .. } = &mut *self.0;
        BUFFER.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            // Unlike `try_read`, this knows after a short read that there is no more.
            match Pin::new(stream).poll_read(&mut Context::from_waker(watch.waker()), &mut buffer) {
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

    /// Takes in what the client has sent, to be read later or not at all.
    ///
    /// # Errors
    /// As [`Socket::read`], and when it has sent more than is kept.
    pub fn take_in(&mut self, unread: Unread) -> io::Result<()> {
        if unread == Unread::Discard {
            self.0.unread = BytesMut::new();
            return self.read(|_| {});
        }
        let mut kept = std::mem::take(&mut self.0.unread);
        let mut fits = true;
        let read = self.read(|bytes| {
            fits = kept.len() + bytes.len() <= MAX_UNREAD;
            if fits {
                kept.extend_from_slice(bytes);
            }
        });
        self.0.unread = kept;
        if fits { read } else { Err(io::ErrorKind::OutOfMemory.into()) }
    }

    /// Writes the parts one after the other, in as few system calls as the client allows.
    ///
    /// # Errors
    /// When the connection broke, or the client took nothing for the write time-out.
    pub async fn write_parts<'a>(&mut self, parts: impl IntoIterator<Item = &'a [u8]>) -> io::Result<()> {
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        let mut slices: SmallVec<[IoSlice<'a>; 4]> = parts.map(IoSlice::new).collect();
        let mut rest = &mut slices[..];
        while !rest.is_empty() {
            let written = match &rest[..] {
                // The simpler call is the faster one.
                [part] => poll_fn(|cx| Pin::new(&mut *self).poll_write(cx, part)).await?,
                parts => poll_fn(|cx| Pin::new(&mut *self).poll_write_vectored(cx, parts)).await?,
            };
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            IoSlice::advance_slices(&mut rest, written);
        }
        Ok(())
    }

    /// Writes an answer, whose head the responder has made.
    pub async fn answer(mut self, responder: &Responder, answer: &[u8]) -> Ended {
        match self.write_parts([answer]).await {
            Ok(()) if responder.keep_alive() => Ended::KeepAlive(self),
            Ok(()) => Ended::Close(self),
            Err(error) => {
                tracing::debug!(%error, "answer lost");
                Ended::Gone
            }
        }
    }

    /// Closes so that the client can still read what it was sent: a socket that is closed with bytes unread is reset.
    pub(super) async fn close(mut self, patience: Duration) {
        if self.shutdown().await.is_err() {
            return;
        }
        self.set_due(Instant::now() + patience);
        loop {
            match self.next_or(|_| Poll::Pending).await {
                Event::Readable if self.take_in(Unread::Discard).is_err() => return,
                Event::Due => return,
                _ => {}
            }
        }
    }

    /// Ends the wait of a write that made no progress for too long.
    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let timeout = self.0.write_timeout;
        let stalled = self.0.stalled.get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing")))
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.0.unread.is_empty() {
            return Pin::new(&mut self.0.stream).poll_read(cx, buf);
        }
        let n = self.0.unread.len().min(buf.remaining());
        buf.put_slice(&self.0.unread[..n]);
        self.0.unread.advance(n);
        if self.0.unread.is_empty() {
            self.0.unread = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.0.stream).poll_write(cx, buf) {
            Poll::Pending => self.poll_stalled(cx),
            ready => {
                self.0.stalled = None;
                ready
            }
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.0.stream).poll_write_vectored(cx, bufs) {
            Poll::Pending => self.poll_stalled(cx),
            ready => {
                self.0.stalled = None;
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
        Pin::new(&mut self.0.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_client_that_never_stops_sending_does_not_keep_the_session_from_its_time() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let stream = listener.accept().await.unwrap().0;
        let mut socket = Socket::new(stream, Duration::from_secs(1), Drain::new(Duration::ZERO));
        let send =
            || while client.writable().now_or_never().is_some() && client.try_write(&[b'x'; 64 * 1024]).is_ok() {};
        socket.set_due(Instant::now() + Duration::from_millis(20));
        let mut reads = 0;
        loop {
            send();
            match socket.next_or(|_| Poll::Pending).await {
                Event::Readable => reads += 1,
                event => break assert_eq!(event, Event::Due),
            }
            socket.take_in(Unread::Discard).unwrap();
        }
        assert!(reads > 1, "it was sending");
    }
}
