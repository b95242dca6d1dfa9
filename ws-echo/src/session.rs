//! A WebSocket from handshake to close (RFC 6455).

use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use serving::access::Access;
use serving::connection::{Answer, Client, Event, Flow, Session};
use serving::error::ApiError;
use serving::request::Request;
use shared::hub::Subscriber;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, OpCode};
use warp::http::HeaderMap;

use crate::close::Close;
use crate::frame;
use crate::handshake::handshake;
use crate::reader::{Incoming, Reader};

/// The number of bytes of answers that are written at once.
const ANSWERS: usize = 64 * 1024;

/// The frames per window that may bring no message. A client that sends more of them rests for as many windows as they would fill, so that
/// dealing with them takes little of what others need.
const EMPTY_FRAMES: u32 = 100;
const WINDOW: Duration = Duration::from_millis(10);

/// A message of the client.
#[derive(Debug)]
pub(crate) enum Message {
    Text(String),
    Binary(Vec<u8>),
}

/// The protocol spoken over a WebSocket, such as the feed or the echo. It receives events as a session does.
pub(crate) trait Conversation: Send + 'static {
    /// Begins, after the handshake.
    fn begin(&mut self, client: &mut Client);

    /// Takes a message of the client. Answers are added to `answers`, as frames.
    fn on_message(&mut self, message: Message, client: &mut Client, answers: &mut Vec<u8>);

    /// Returns whether the next message may come: the last one is dealt with.
    fn takes_messages(&self) -> bool {
        true
    }

    /// Sends what belongs to a heartbeat, besides the ping.
    fn heartbeat(&mut self, client: &mut Client);

    /// Does what an event asks for: [`Event::News`], [`Event::Done`], [`Event::Released`], [`Event::Expiring`] or
    /// [`Event::Expired`]. Returns the reason to close, if there is one.
    fn on(&mut self, event: Event, client: &mut Client) -> Option<Close>;

    /// Waits for the conversation's own events.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event>;

    /// The client's cursor into the history, if it has one.
    fn subscriber(&self) -> Option<&Subscriber> {
        None
    }
}

/// Answers the handshake and has the connection held for a conversation.
pub(crate) fn open(
    request: &Request,
    access: &Access,
    max_message_bytes: usize,
    conversation: impl Conversation,
) -> Result<Answer, ApiError> {
    let headers = Box::new(handshake(request)?);
    request.hold(access, WebSocket::new(headers, request.finds_no_room(), max_message_bytes, conversation))
}

/// One client's WebSocket.
struct WebSocket<C> {
    reader: Reader,
    /// The time of the next heartbeat.
    heartbeat: Instant,
    /// The time of the client's last sign of life.
    heard: Instant,
    /// The time since which the client's message is half read.
    began: Option<Instant>,
    /// The end of the window in which frames without a message are counted, or of the client's rest.
    window: Instant,
    /// The client is not read until then.
    rests: bool,
    phase: Phase,
    /// The reader may have another whole message, which had to wait.
    has_more: bool,
    /// The event by which it is this client's turn to go, once the messages that were read are dealt with.
    parting: Option<Event>,
    conversation: C,
}

enum Phase {
    Handshake {
        headers: Box<HeaderMap>,
        full: bool,
    },
    /// The service is full; a close frame will say so.
    Refused,
    Open,
    /// The close frame is sent, and the client's is to come.
    Closing,
}

impl<C> WebSocket<C> {
    /// A WebSocket before its handshake, which `headers` answer. With `full`, a close frame follows at once.
    fn new(headers: Box<HeaderMap>, full: bool, max_message_bytes: usize, conversation: C) -> Self {
        let now = Instant::now();
        Self {
            reader: Reader::new(max_message_bytes, BytesMut::new()),
            heartbeat: now,
            heard: now,
            began: None,
            window: now,
            rests: false,
            phase: Phase::Handshake { headers, full },
            has_more: false,
            parting: None,
            conversation,
        }
    }
}

impl<C: Conversation> Session for WebSocket<C> {
    fn begin(&mut self, client: &mut Client) {
        let Phase::Handshake { headers, full } = std::mem::replace(&mut self.phase, Phase::Refused) else { return };
        client.upgrade(&headers);
        if full {
            client.app().count_error(&ApiError::Full);
            return;
        }
        self.phase = Phase::Open;
        let now = Instant::now();
        // The first heartbeat at random, so that those of clients that came together are spread.
        self.heartbeat = now + client.app().config.connections.heartbeat.mul_f64(fastrand::f64());
        self.heard = now;
        client.set_due(self.heartbeat);
        self.conversation.begin(client);
        // The client may have sent frames before it had the answer to its handshake.
        self.reader.push(&client.take_input());
        self.has_more = !self.reader.is_empty();
    }

    fn on(&mut self, event: Event, client: &mut Client) -> Flow {
        match (&self.phase, event) {
            (Phase::Handshake { .. } | Phase::Refused, _) => self.close(&Close::Full, Vec::new(), client),
            (Phase::Closing, Event::Due) => Flow::Finish,
            (Phase::Closing, Event::Readable) => self.read_close(client),
            (Phase::Closing, _) | (Phase::Open, Event::Draining) => Flow::Continue,
            (Phase::Open, Event::Due) => self.on_due(client),
            (Phase::Open, Event::Readable) => {
                let now = Instant::now();
                let Self { reader, heard, window, .. } = self;
                if now >= *window {
                    reader.forget_empty_frames();
                    *window = now + WINDOW;
                }
                let mut incoming = Ok(None);
                client.read(|bytes| {
                    *heard = now;
                    incoming = reader.receive(bytes);
                });
                self.take_messages(incoming, client)
            }
            (Phase::Open, Event::News) if self.may_take_messages() => {
                let incoming = self.reader.next();
                self.take_messages(incoming, client)
            }
            (Phase::Open, Event::Released | Event::Expired) if self.has_more => {
                self.parting = Some(event);
                Flow::Continue
            }
            (Phase::Open, Event::News | Event::Done | Event::Released | Event::Expiring | Event::Expired) => {
                match self.conversation.on(event, client) {
                    Some(close) => self.close(&close, Vec::new(), client),
                    None => Flow::Continue,
                }
            }
        }
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        match self.phase {
            Phase::Handshake { .. } | Phase::Refused => Poll::Ready(Event::News),
            Phase::Open if self.may_take_messages() => Poll::Ready(Event::News),
            Phase::Open if !self.has_more && self.parting.is_some() => {
                self.parting.take().map_or(Poll::Pending, Poll::Ready)
            }
            Phase::Open => self.conversation.poll_event(cx),
            Phase::Closing => Poll::Pending,
        }
    }

    fn takes_input(&self) -> bool {
        match self.phase {
            Phase::Open => !self.rests && self.is_listened_to(),
            Phase::Handshake { .. } | Phase::Refused | Phase::Closing => true,
        }
    }

    fn subscriber(&self) -> Option<&Subscriber> {
        self.conversation.subscriber()
    }
}

impl<C: Conversation> WebSocket<C> {
    /// Returns whether the client's next message may be read, once it has rested.
    fn is_listened_to(&self) -> bool {
        !self.has_more && self.parting.is_none() && self.conversation.takes_messages()
    }

    fn may_take_messages(&self) -> bool {
        self.has_more && self.conversation.takes_messages()
    }

    /// Deals with a message of the reader and with those that came with it, and answers them in one write.
    fn take_messages(&mut self, mut incoming: Result<Option<Incoming>, Close>, client: &mut Client) -> Flow {
        let mut answers = Vec::new();
        loop {
            self.has_more = !self.reader.is_empty();
            // A control frame can come between the fragments of a message, which does not begin anew then.
            if matches!(incoming, Ok(Some(_))) && !self.reader.has_fragments() {
                self.began = None;
            }
            match incoming {
                Ok(Some(Incoming::Text(text))) => {
                    self.conversation.on_message(Message::Text(text), client, &mut answers);
                }
                Ok(Some(Incoming::Binary(bytes))) => {
                    self.conversation.on_message(Message::Binary(bytes), client, &mut answers);
                }
                Ok(Some(Incoming::Ping(payload))) => {
                    frame::put(&mut answers, OpCode::Control(Control::Pong), &[&payload]);
                }
                Ok(Some(Incoming::Pong)) => {}
                Ok(Some(Incoming::Close(code))) => return self.close(&Close::ByClient(code), answers, client),
                Ok(None) => self.has_more = false,
                Err(close) => return self.close(&close, answers, client),
            }
            if !self.may_take_messages() || answers.len() >= ANSWERS {
                break;
            }
            incoming = self.reader.next();
        }
        self.count_empty_frames(client);
        if !self.has_more {
            self.watch_message(client);
            let app = client.app();
            if let Err(close) = self.reader.reserve(|| app.reserve_body()) {
                return self.close(&close, answers, client);
            }
        }
        if !answers.is_empty() {
            client.write(&answers);
        }
        Flow::Continue
    }

    /// Begins a rest of the client, if too many of its frames have brought no message.
    fn count_empty_frames(&mut self, client: &mut Client) {
        let frames = self.reader.empty_frames();
        if frames > EMPTY_FRAMES {
            self.rests = true;
            self.window = self.heard + WINDOW * frames / EMPTY_FRAMES;
            self.set_due(client);
        }
    }

    /// Begins to wait for the rest of a message that has begun, if one has.
    fn watch_message(&mut self, client: &mut Client) {
        if self.began.is_none() && self.reader.is_within_a_message() {
            self.began = Some(Instant::now());
            self.set_due(client);
        }
    }

    /// The time at which a message that has begun has to be whole.
    fn message_due(&self, client: &Client) -> Option<Instant> {
        self.began.map(|began| began + client.app().config.connections.read_timeout)
    }

    fn set_due(&self, client: &mut Client) {
        let dues = [self.message_due(client), self.rests.then_some(self.window)].into_iter().flatten();
        client.set_due(dues.fold(self.heartbeat, Instant::min));
    }

    fn on_due(&mut self, client: &mut Client) -> Flow {
        let now = Instant::now();
        self.rests &= self.window > now;
        if !self.is_listened_to() {
            // A client that is not listened to is not silent, and cannot send the rest of its message.
            self.heard = now;
            self.began = self.began.map(|_| now);
        }
        if self.message_due(client).is_some_and(|due| due <= now) {
            return self.close(&Close::TooSlow, Vec::new(), client);
        }
        if self.heartbeat <= now {
            return self.send_heartbeat(client);
        }
        // For a message that has become whole meanwhile.
        self.set_due(client);
        Flow::Continue
    }

    /// Sends a heartbeat, unless the client has been silent for two of them.
    fn send_heartbeat(&mut self, client: &mut Client) -> Flow {
        let (now, period) = (Instant::now(), client.app().config.connections.heartbeat);
        if now - self.heartbeat > period / 4 {
            // This heartbeat is late because a write had to wait. The write went on, so the client is alive; it gets
            // new time.
            self.heard = now;
        }
        let silent_at = self.heard + 2 * period;
        if now >= silent_at {
            return self.close(&Close::Silent, Vec::new(), client);
        }
        self.heartbeat = silent_at.min(now + period);
        self.set_due(client);
        let mut ping = Vec::new();
        frame::put(&mut ping, OpCode::Control(Control::Ping), &[]);
        client.write(&ping);
        self.conversation.heartbeat(client);
        Flow::Continue
    }

    /// Writes the last answers and the close frame, and waits a little for the client's.
    fn close(&mut self, close: &Close, mut answers: Vec<u8>, client: &mut Client) -> Flow {
        tracing::debug!(?close, "closing");
        frame::put(&mut answers, OpCode::Control(Control::Close), &[&close.payload()]);
        client.write(&answers);
        client.end_in_order();
        client.set_end(close.end());
        if !close.is_answered() {
            return Flow::Finish;
        }
        self.phase = Phase::Closing;
        client.set_due(Instant::now() + client.app().config.connections.close_timeout);
        self.read_close(client)
    }

    /// Finishes once the client has closed too.
    fn read_close(&mut self, client: &mut Client) -> Flow {
        client.read(|bytes| self.reader.push(bytes));
        loop {
            match self.reader.next() {
                Ok(Some(Incoming::Close(_))) | Err(_) => return Flow::Finish,
                Ok(Some(_)) => {}
                Ok(None) => return Flow::Continue,
            }
        }
    }
}

#[cfg(test)]
mod tests;
