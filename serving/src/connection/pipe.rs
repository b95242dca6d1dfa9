//! A transport in memory: sessions are tested through it without a socket and without a runtime.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use tokio::io::ReadBuf;

/// The server's end of a pipe.
#[derive(Debug)]
pub(crate) struct NearEnd {
    pipe: Arc<Mutex<Pipe>>,
}

/// The client's end of a pipe, in the hands of a test.
#[derive(Debug)]
pub struct FarEnd {
    pipe: Arc<Mutex<Pipe>>,
}

#[derive(Default)]
struct Pipe {
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    /// The number of bytes that the client still takes.
    room: usize,
    client_gone: bool,
    server_gone: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// Makes a pipe whose client takes `room` bytes at first.
pub(crate) fn pipe(room: usize) -> (NearEnd, FarEnd) {
    let pipe = Arc::new(Mutex::new(Pipe { room, ..Pipe::default() }));
    (NearEnd { pipe: Arc::clone(&pipe) }, FarEnd { pipe })
}

impl NearEnd {
    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut pipe = self.pipe.lock();
        if !pipe.to_server.is_empty() || pipe.client_gone {
            return Poll::Ready(());
        }
        pipe.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn poll_read(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<()> {
        if self.poll_readable(cx).is_pending() {
            return Poll::Pending;
        }
        let mut pipe = self.pipe.lock();
        let count = pipe.to_server.len().min(buf.remaining());
        buf.put_slice(&pipe.to_server[..count]);
        pipe.to_server.drain(..count);
        Poll::Ready(())
    }

    pub(super) fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut pipe = self.pipe.lock();
        if pipe.client_gone {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if pipe.room == 0 {
            pipe.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = bytes.len().min(pipe.room);
        pipe.room -= count;
        pipe.to_client.extend_from_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    pub(super) fn shut_down(&self) {
        self.pipe.lock().server_gone = true;
    }
}

impl Drop for NearEnd {
    fn drop(&mut self) {
        self.shut_down();
    }
}

impl FarEnd {
    /// Sends bytes to the server.
    pub fn send(&self, bytes: impl AsRef<[u8]>) {
        let mut pipe = self.pipe.lock();
        pipe.to_server.extend_from_slice(bytes.as_ref());
        wake(&mut pipe.reader);
    }

    /// Takes what the server has written so far.
    pub fn received(&self) -> Vec<u8> {
        std::mem::take(&mut self.pipe.lock().to_client)
    }

    /// Takes what the server has written so far, as text.
    ///
    /// # Panics
    /// When it is not UTF-8.
    pub fn received_text(&self) -> String {
        String::from_utf8(self.received()).expect("the server wrote text")
    }

    /// Lets the server write so many bytes more.
    pub fn make_room(&self, bytes: usize) {
        let mut pipe = self.pipe.lock();
        pipe.room += bytes;
        wake(&mut pipe.writer);
    }

    /// Goes away.
    pub fn leave(&self) {
        let mut pipe = self.pipe.lock();
        pipe.client_gone = true;
        wake(&mut pipe.reader);
        wake(&mut pipe.writer);
    }

    /// Returns whether the server has closed its side.
    pub fn is_closed(&self) -> bool {
        self.pipe.lock().server_gone
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { to_server, to_client, room, .. } = self;
        let lengths = (to_server.len(), to_client.len());
        f.debug_struct("Pipe").field("in_flight", &lengths).field("room", room).finish_non_exhaustive()
    }
}
