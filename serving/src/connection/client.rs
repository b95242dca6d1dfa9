//! A client: the other end of a connection, whatever carries its bytes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use http::{HeaderName, HeaderValue, StatusCode};
use shared::hub::Subscriber;
use shared::traceparent::Traceparent;
use tokio::io::AsyncWrite;
use tokio::time::Instant;

use super::bell::Bell;
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
use crate::inquiry::{ClientId, Described, Slowness};
use crate::metrics::{Delivery, End};
use crate::reply::Reply;
use crate::traces::{EndedStay, SpanClient};

/// The largest answer that is copied into one buffer with its head. A larger one is written from where its parts are.
const COPIED: usize = 16 * 1024;

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
    /// Boxed, since most clients have nothing of it.
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

/// The token and the trace that a client's request has brought, as far as they concern its connection.
#[derive(Debug)]
struct Brought {
    /// The subject of the token.
    subject: Option<Arc<str>>,
    /// `None` if the rights do not end.
    expiry: Option<Expiry>,
    /// The operation of a trace that has sent the request.
    traceparent: Option<Traceparent>,
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

    /// Sets what the client's request has brought: the subject of its token, the end of its rights, and the operation that sent it. `None`
    /// if there is none.
    pub(crate) fn set_brought(
        &mut self,
        subject: Option<Arc<str>>,
        at: Option<Instant>,
        traceparent: Option<Traceparent>,
    ) {
        self.change_brought(Brought { subject, expiry: at.map(Expiry::new), traceparent });
    }

    /// Sets the end of the rights that have taken the place of those before. `None` if they do not end.
    pub fn renew_until(&mut self, at: Option<Instant>) {
        let (subject, traceparent) = (self.subject().cloned(), self.traceparent());
        self.change_brought(Brought { subject, expiry: at.map(Expiry::renewed), traceparent });
    }

    fn change_brought(&mut self, brought: Brought) {
        let Brought { subject, expiry, traceparent } = &brought;
        let has_any = subject.is_some() || expiry.is_some() || traceparent.is_some();
        if has_any || self.brought.is_some() {
            self.brought = has_any.then(|| Box::new(brought));
            // The events may be due already.
            self.bell.keep_rung();
            self.set_timer();
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

    /// Begins to count the client among those who stay.
    pub(crate) fn begin_stay(&mut self) {
        self.end = None;
        self.stays_since = self.app.inquiries().number_stay(self.app.uptime_micros());
        // It has nothing to answer to a question from before.
        self.answered = self.app.inquiries().number();
        self.app.metrics().begin_stay();
    }

    /// Returns whether there is a question to all clients that this one has not answered.
    #[inline]
    pub(crate) fn is_asked(&self) -> bool {
        self.app.inquiries().number() != self.answered
    }

    /// Answers the question to all clients, with the client's cursor into the history if it has one. Returns whether this one is to end.
    pub(crate) fn answer_inquiry(&mut self, subscriber: Option<&Subscriber>) -> bool {
        self.answered = self.app.inquiries().number();
        let Some(inquiry) = self.app.inquiries().latest() else { return false };
        let slowness = Slowness {
            lag: subscriber.map_or(0, Subscriber::lag),
            stalled: self.output.stall().map_or(0, |stall| stall.lasted().as_secs()),
            age: self.stayed().as_secs(),
        };
        let is_to_end = inquiry.answer(ClientId(self.stays_since), slowness, || {
            let filters = subscriber.map(Subscriber::filters).unwrap_or_default();
            Described {
                address: self.peer.to_string(),
                subject: self.subject().map(|subject| subject.to_string()),
                topics: filters.iter().map(ToString::to_string).collect(),
                cursor: subscriber.map(|subscriber| subscriber.cursor().to_string()),
            }
        });
        if is_to_end {
            self.set_end(End::Operator);
        }
        is_to_end
    }

    /// The time for which it has stayed.
    fn stayed(&self) -> Duration {
        Duration::from_micros(self.app.uptime_micros().saturating_sub(self.stays_since))
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
        SpanClient { address: self.peer.client_address(), subject: self.subject() }
    }

    /// Counts the client no longer, for the reason that is known, or else for this one.
    pub(crate) fn end_stay(&mut self, otherwise: End) {
        if self.stays_since > 0 {
            let (end, stayed) = (self.end.unwrap_or(otherwise), self.stayed());
            self.app.metrics().end_stay(end, stayed);
            if let Some(traces) = self.app.traces() {
                traces.record_stay(EndedStay { parent: self.traceparent(), stayed, end }, self.in_spans());
            }
            self.stays_since = 0;
        }
    }

    /// Notes the reason why the client stays no longer, unless one is known already.
    pub fn set_end(&mut self, end: End) {
        self.end.get_or_insert(end);
    }

    /// Writes a delivery, in parts as [`Client::write_shared`] does, counts it, and measures how late it is.
    pub fn deliver(&mut self, parts: impl IntoIterator<Item = Bytes>, delivery: &Delivery) {
        self.write_shared(parts);
        self.count(delivery);
    }

    /// Gives a whole answer that is a delivery.
    pub fn answer_with(&mut self, reply: Reply, delivery: &Delivery) {
        self.answer(reply);
        self.count(delivery);
    }

    fn count(&mut self, delivery: &Delivery) {
        self.app.metrics().count(delivery);
        if let Some(gap) = &delivery.gap {
            self.app.gaps().add(gap, self.peer.to_string(), self.subject().map(AsRef::as_ref));
        }
        self.app.trace_delivery(&delivery.tally, || self.in_spans());
        if let Some(appended) = delivery.tally.appended {
            match self.output.is_empty() {
                true => self.app.metrics().measure_delay(appended.elapsed()),
                false => self.output.appended_at(appended),
            }
        }
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

    /// Begins a stream, after which the connection is closed: writes its head and its first bytes. Over HTTP/1.1 a stream
    /// consists of chunks (RFC 9112, section 7.1), and whoever writes it writes whole ones, the first bytes included.
    pub fn begin_stream(&mut self, headers: &[(HeaderName, &'static str)], first: &[u8]) {
        if let Transport::Http2(stream) = &mut self.transport {
            let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
            stream.begin(StatusCode::OK, self.framing.header_map(self.app.admission.origins(), headers));
            stream.push([Bytes::copy_from_slice(first)]);
            return;
        }
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let mut head = self.framing.stream_head(self.app.admission.origins(), StatusCode::OK, headers);
        head.extend_from_slice(first);
        self.framing.keep_alive = false;
        self.write(&head);
    }

    /// Answers an upgrade (RFC 9110, section 7.8): after this, the connection speaks another protocol.
    pub fn upgrade(&mut self, headers: &http::HeaderMap) {
        if let Transport::Http2(stream) = &mut self.transport {
            // There is no other protocol to change to on the connection, and no key to answer (RFC 8441, section 5).
            let kept = headers.iter().filter(|(name, _)| ![CONNECTION, UPGRADE, SEC_WEBSOCKET_ACCEPT].contains(name));
            let headers = kept.map(|(name, value)| (name.clone(), value.clone()));
            stream.begin(StatusCode::OK, self.framing.header_map(self.app.admission.origins(), headers));
            return;
        }
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let head = self.framing.stream_head(self.app.admission.origins(), StatusCode::SWITCHING_PROTOCOLS, headers);
        self.framing.keep_alive = false;
        self.write(&head);
    }

    /// Gives a whole answer.
    pub fn answer(&mut self, reply: Reply) {
        let length = reply.body_bytes();
        let copied = if length <= COPIED { length } else { 0 };
        if let Transport::Http2(stream) = &mut self.transport {
            let headers = reply.headers.into_iter().chain([(CONTENT_LENGTH, length.into())]);
            stream.begin(reply.status, self.framing.header_map(self.app.admission.origins(), headers));
            stream.push(reply.body);
            return;
        }
        self.framing.keep_alive &= self.app.admission.keeps_alive(self.is_overflow);
        let headers = reply.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let origins = self.app.admission.origins();
        let mut head = self.framing.whole_head(origins, reply.status, headers, length, copied);
        if copied == length {
            reply.body.iter().for_each(|part| head.extend_from_slice(part));
            self.write(&head);
        } else {
            self.write_shared([head.into()].into_iter().chain(reply.body));
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
