//! A client: the other end of a connection, whatever carries its bytes.

mod answering;
mod rights;
mod staying;
mod waiting;

use std::io;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::bell::Bell;
use super::brought::Brought;
use super::input::{self, Input};
use super::output::Output;
use super::peer::Peer;
use super::pipe::{self, FarEnd};
use super::response_head::Framing;
use super::transport::Transport;
use crate::address_limit::Seat;
use crate::app::App;
use crate::metrics::End;

/// Longer than a connection lasts.
const NEVER: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A client that is connected.
///
/// Writing never waits and never fails: what the client does not take at once is kept here, and a client that has gone is
/// noticed by the connection's task.
#[derive(Debug)]
pub struct Client {
    transport: Transport,
    peer: Peer,
    app: Arc<App>,
    bell: Arc<Bell>,
    input: Input,
    output: Output,
    due: Instant,
    release: Release,
    framing: Framing,
    /// All regular places are taken: this connection ends with its first answer.
    is_overflow: bool,
    /// Absent if connections are not counted by address.
    seat: Option<Arc<Seat>>,
    /// Boxed, since without a token, a trace and a proxy there is nothing.
    brought: Option<Box<Brought>>,
    /// The connection broke, or the client closed its side or takes nothing.
    is_gone: bool,
    /// The reason why it stays no longer, if that is known already.
    end: Option<End>,
    /// The microseconds since the start of the service at which it began to stay, for a WebSocket, a stream or a poll, which no other client
    /// has. 0 if it does not.
    stays_since: u64,
    /// The number of the last question to all clients that it has answered.
    answered: u32,
}

/// The time at which it is the connection's turn to go.
#[derive(Debug, Clone, Copy)]
enum Release {
    /// The session has not heard that the service is shutting down.
    Unknown,
    At(Instant),
    Reported,
}

impl Client {
    pub(crate) fn new(
        transport: Transport,
        peer: Peer,
        app: Arc<App>,
        is_overflow: bool,
        seat: Option<Arc<Seat>>,
    ) -> Self {
        Self {
            transport,
            peer,
            app,
            bell: Arc::new(Bell::new()),
            input: Input::default(),
            output: Output::default(),
            due: Instant::now() + NEVER,
            release: Release::Unknown,
            framing: Framing::default(),
            is_overflow,
            seat,
            brought: None,
            is_gone: false,
            end: None,
            stays_since: 0,
            answered: 0,
        }
    }

    /// Makes a client in memory that takes `room` bytes at first, and its far end: for tests of sessions.
    pub fn in_memory(app: &Arc<App>, room: usize) -> (Self, FarEnd) {
        let (near, far) = pipe::pipe(room);
        (Self::new(Transport::Memory(near), Peer::InMemory, Arc::clone(app), false, None), far)
    }

    /// The address of the client.
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// The application that serves the client.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Returns whether the client has gone: nothing that is written reaches it.
    pub fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// Returns whether bytes wait to be taken by the client.
    pub fn has_unwritten(&self) -> bool {
        !self.output.is_empty()
    }

    /// Writes bytes. Those that the client does not take at once are copied.
    pub fn write(&mut self, bytes: &[u8]) {
        self.write_by(|output, transport, cx| output.write(transport, cx, bytes));
    }

    /// Writes parts, which follow each other, in as few system calls as the client allows. Parts that the client does
    /// not take at once are kept as they are, shared with other clients.
    pub fn write_shared(&mut self, parts: impl IntoIterator<Item = Bytes>) {
        if let Transport::Http2(stream) = &mut self.transport {
            return stream.push(parts);
        }
        self.write_by(|output, transport, cx| output.write_shared(transport, cx, parts));
    }

    fn write_by(&mut self, write: impl FnOnce(&mut Output, &mut Transport, &mut Context<'_>) -> io::Result<()>) {
        if self.is_gone {
            return;
        }
        let waker = Waker::from(Arc::clone(&self.bell));
        match write(&mut self.output, &mut self.transport, &mut Context::from_waker(&waker)) {
            Ok(()) if self.output.is_empty() => {}
            Ok(()) => self.set_timer(),
            Err(error) => self.lose(&error),
        }
    }

    /// Reads the bytes that have arrived, possibly none.
    pub fn read(&mut self, take: impl FnOnce(&[u8])) {
        self.read_by(|_, transport, cx| input::read(transport, cx, take));
    }

    /// Reads what the client has sent and keeps it for its next request. A client that sends more than is kept is lost.
    pub fn keep_input(&mut self) {
        let limit = self.app.config.input.max_unread_bytes.as_u64() as usize;
        self.read_by(|input, transport, cx| input.keep(transport, cx, limit));
    }

    /// Reads what the client has sent and forgets it: no next request will be read.
    pub fn discard_input(&mut self) {
        self.input.take();
        self.read(|_| {});
    }

    fn read_by(&mut self, read: impl FnOnce(&mut Input, &mut Transport, &mut Context<'_>) -> io::Result<()>) {
        let waker = Waker::from(Arc::clone(&self.bell));
        if let Err(error) = read(&mut self.input, &mut self.transport, &mut Context::from_waker(&waker)) {
            self.lose(&error);
        }
    }

    /// Takes what was kept of the client's input.
    pub fn take_input(&mut self) -> BytesMut {
        self.input.take()
    }

    /// Puts input back before all that was kept.
    pub(crate) fn put_back(&mut self, bytes: Bytes) {
        self.input.put_back(bytes);
    }

    pub(crate) fn has_input(&self) -> bool {
        !self.input.is_empty()
    }

    /// Returns whether the client has chosen HTTP/2.
    pub(super) fn speaks_http2(&self) -> bool {
        self.transport.speaks_http2()
    }

    pub(crate) fn seat(&self) -> Option<&Arc<Seat>> {
        self.seat.as_ref()
    }

    /// Sets the framing of the next answer.
    pub(crate) fn set_framing(&mut self, framing: Framing) {
        self.framing = framing;
    }

    /// Returns whether the connection serves another request after the last answer.
    pub(crate) fn is_kept_alive(&self) -> bool {
        self.framing.keep_alive
    }

    /// Lends the transport to a library that waits on it by itself, with the input that was kept.
    pub(super) fn transport(&mut self) -> (&mut Transport, &mut Input) {
        (&mut self.transport, &mut self.input)
    }

    /// Has another transport carry the bytes from now on.
    pub(super) fn move_to(&mut self, transport: Transport) -> Transport {
        self.bell.keep_rung();
        std::mem::replace(&mut self.transport, transport)
    }

    fn lose(&mut self, error: &io::Error) {
        tracing::debug!(%error, "the client has gone");
        if error.kind() == io::ErrorKind::TimedOut {
            // As the system says too, which waits for acknowledgements about as long.
            self.set_end(End::WriteTimeout);
        }
        self.is_gone = true;
        self.output = Output::default();
        self.bell.keep_rung();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Whoever is still there when the service ends has not left by itself.
        let end = if self.is_gone || self.app.admission.is_open() { End::Client } else { End::Draining };
        self.end_stay(end);
        self.bell.close();
    }
}

#[cfg(test)]
pub(super) mod tests;
