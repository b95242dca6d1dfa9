//! A client: the other end of a connection, whatever carries its bytes.

mod answering;
mod staying;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use shared::traceparent::Traceparent;
use tokio::io::AsyncWrite;
use tokio::time::Instant;

use super::bell::Bell;
use super::brought::Brought;
use super::event::Event;
use super::expiry::{Due, Expiry};
use super::input::{self, Input};
use super::output::Output;
use super::peer::Peer;
use super::pipe::{self, FarEnd};
use super::response_head::Framing;
use super::transport::Transport;
use crate::address_limit::Seat;
use crate::app::App;
use crate::client_address::ClientAddress;
use crate::metrics::End;
use crate::traces::SpanClient;

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

    /// The time of the next [`Event::Due`].
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Sets the time of the next [`Event::Due`], in place of the last one set.
    pub fn set_due(&mut self, due: Instant) {
        self.due = due;
        self.set_timer();
    }

    /// Cancels [`Event::Due`] until a time is set again.
    pub fn never_due(&mut self) {
        self.set_due(Instant::now() + NEVER);
    }

    /// Sets what the client's request has brought.
    pub(crate) fn set_brought(&mut self, brought: Brought) {
        let of_peer = self.peer.client_address();
        let brought = Brought { address: brought.address.filter(|address| Some(*address) != of_peer), ..brought };
        if !brought.is_nothing() || self.brought.is_some() {
            self.change_brought(brought);
        }
    }

    /// Sets the end of the rights that have taken the place of those before. `None` if they do not end.
    pub fn renew_until(&mut self, at: Option<Instant>) {
        let before = self.brought.take().map(|brought| *brought).unwrap_or_default();
        self.change_brought(Brought { expiry: at.map(Expiry::renewed), ..before });
    }

    fn change_brought(&mut self, brought: Brought) {
        self.brought = (!brought.is_nothing()).then(|| Box::new(brought));
        // The events may be due already.
        self.bell.keep_rung();
        self.set_timer();
    }

    /// The address by which the client is counted: the one that a trusted proxy reports, or that of its connection. `None` for a client in
    /// memory.
    pub fn client_address(&self) -> Option<ClientAddress> {
        self.brought.as_ref().and_then(|brought| brought.address).or(self.peer.client_address())
    }

    /// The address, for people: with the port, if it is that of the connection.
    fn address_text(&self) -> String {
        match self.brought.as_ref().and_then(|brought| brought.address) {
            Some(address) => address.to_string(),
            None => self.peer.to_string(),
        }
    }

    /// The end of the client's rights. `None` if they do not end.
    pub fn expires_at(&self) -> Option<Instant> {
        self.expiry().map(Expiry::at)
    }

    fn expiry(&self) -> Option<&Expiry> {
        self.brought.as_ref()?.expiry.as_ref()
    }

    fn expiry_mut(&mut self) -> Option<&mut Expiry> {
        self.brought.as_mut()?.expiry.as_mut()
    }

    /// The subject of its token.
    fn subject(&self) -> Option<&Arc<str>> {
        self.brought.as_ref()?.subject.as_ref()
    }

    /// The operation that has sent its request.
    fn traceparent(&self) -> Option<Traceparent> {
        self.brought.as_ref()?.traceparent
    }

    /// The client, as spans name it.
    fn in_spans(&self) -> SpanClient<'_> {
        SpanClient { address: self.client_address(), subject: self.subject() }
    }

    /// Returns whether the client's rights have ended so long ago that it is to be cut off, whatever still waits for it.
    pub(super) fn is_cut_off(&self) -> bool {
        self.expiry().is_some_and(|expiry| expiry.cut_off() <= Instant::now())
    }

    /// The session has written its end: the client is not cut off any more when its rights have ended, once it has taken that.
    pub fn end_in_order(&mut self) {
        if let Some(expiry) = self.expiry_mut() {
            expiry.end();
        }
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

    /// Repeats [`Event::Released`] for a session that begins after its connection's turn to go has come.
    pub(crate) fn repeat_release(&mut self) {
        if matches!(self.release, Release::Reported) {
            self.release = Release::At(Instant::now());
            self.bell.keep_rung();
        }
    }

    /// Makes the next poll look at everything, without waking the task. Called when the client comes back from hyper,
    /// and before each request.
    pub(crate) fn look_again(&self) {
        self.bell.keep_rung();
    }

    /// Makes the bell wake this task from now on. Called at the beginning of each poll.
    pub(crate) fn listen(&self, task: &Waker) {
        self.bell.listen(task);
    }

    /// Waits until the client has taken everything that was written.
    pub(crate) fn poll_written(&mut self) -> Poll<()> {
        if self.output.is_empty() {
            return Poll::Ready(());
        }
        let waker = Waker::from(Arc::clone(&self.bell));
        let appended = self.output.appended();
        match self.output.poll_written(&mut self.transport, &mut Context::from_waker(&waker)) {
            Poll::Ready(Ok(())) => {
                if let Some(appended) = appended {
                    self.app.metrics().measure_delay(appended.elapsed());
                }
                // For the events that had to wait meanwhile.
                self.bell.keep_rung();
                self.set_timer();
            }
            Poll::Ready(Err(error)) => self.lose(&error),
            Poll::Pending => {
                let timeout = self.app.config.connections.write_timeout;
                let has_expired = self.is_cut_off();
                if !has_expired && !self.output.is_stalled(&self.transport, timeout) {
                    self.set_timer();
                    return Poll::Pending;
                }
                let (end, reason) = match has_expired {
                    true => (End::Expired, "its token has expired"),
                    false => (End::WriteTimeout, "the client takes nothing"),
                };
                self.set_end(end);
                self.lose(&io::Error::new(io::ErrorKind::TimedOut, reason));
            }
        }
        Poll::Ready(())
    }

    /// Waits for the next event: of the connection, or of what serves it.
    pub(crate) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
        takes_input: bool,
        news: impl FnOnce(&mut Context<'_>) -> Poll<Event>,
    ) -> Poll<Event> {
        if self.bell.take()
            && let Poll::Ready(event) = self.poll_rare(takes_input)
        {
            // The others have not been looked at.
            self.bell.keep_rung();
            return Poll::Ready(event);
        }
        news(cx)
    }

    fn poll_rare(&mut self, takes_input: bool) -> Poll<Event> {
        // The timer is set first: the drain rings only the bells that are queued.
        self.set_timer();
        if matches!(self.release, Release::Unknown) && !self.app.admission.is_open() {
            self.release = Release::At(self.app.admission.drain().release());
            return Poll::Ready(Event::Draining);
        }
        // Time comes before input, so that a client which never stops sending cannot delay it. Such a client cannot
        // delay news either, since tokio's cooperative budget makes a busy socket return Pending now and then.
        let now = Instant::now();
        if let Release::At(release) = self.release
            && release <= now
        {
            self.release = Release::Reported;
            return Poll::Ready(Event::Released);
        }
        match self.expiry_mut().map_or(Due::Nothing, |expiry| expiry.step(now)) {
            Due::Nothing => {}
            Due::Event(event) => return Poll::Ready(event),
            Due::CutOff => {
                self.set_end(End::Expired);
                self.lose(&io::Error::new(io::ErrorKind::TimedOut, "its token has expired"));
                return Poll::Ready(Event::Due);
            }
        }
        if self.due <= now {
            return Poll::Ready(Event::Due);
        }
        if !takes_input {
            // To be looked at once the session takes input again.
            self.bell.keep_rung();
            return Poll::Pending;
        }
        let waker = Waker::from(Arc::clone(&self.bell));
        // An error is found by whoever reads.
        ready!(self.transport.poll_readable(&mut Context::from_waker(&waker)));
        Poll::Ready(Event::Readable)
    }

    /// Closes the server's side. What the transport writes for that is waited for as all that is written.
    pub(crate) fn poll_shutdown(&mut self) -> Poll<io::Result<()>> {
        let waker = Waker::from(Arc::clone(&self.bell));
        let closed = Pin::new(&mut self.transport).poll_shutdown(&mut Context::from_waker(&waker));
        if closed.is_pending() {
            self.output.await_transport();
            self.set_timer();
        }
        closed
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

    fn set_timer(&self) {
        let mut due = self.due;
        if let Release::At(release) = self.release {
            due = due.min(release);
        }
        if let Some(next) = self.expiry().and_then(Expiry::next) {
            due = due.min(next);
        }
        if let Some(stall) = self.output.stall() {
            due = stall.next_check(self.app.config.connections.write_timeout);
            due = self.expiry().map_or(due, |expiry| due.min(expiry.cut_off()));
        }
        self.app.timers.set(&self.bell, due);
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
