//! A WebSocket from handshake to close.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use serving::app::App;
use serving::http::{Answer, ApiError, Ended, Event, Request, Socket};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::server::create_response;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use warp::http;

use crate::close::Close;
use crate::frame;
use crate::reader::{Incoming, Reader};

/// How long the client has to answer a close.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// A WebSocket after its handshake.
pub(crate) struct Session {
    pub(crate) app: Arc<App>,
    socket: Socket,
    reader: Reader,
    /// When the next beat is due.
    beat: Instant,
    /// When the client last gave a sign of life.
    heard: Instant,
}

/// A message of the client.
#[derive(Debug)]
pub(crate) enum Message {
    Text(String),
    Binary(Vec<u8>),
}

/// What a conversation goes on with.
#[derive(Debug)]
pub(crate) enum Next {
    Message(Message),
    /// What was waited for beside the client.
    News,
    /// The service is shutting down and it is this client's turn to go.
    Released,
}

/// What is said on a WebSocket.
pub(crate) trait Conversation: Send + 'static {
    /// Talks until there is a reason to close.
    fn run(self, session: &mut Session) -> impl Future<Output = Close> + Send;
}

/// Answers the handshake and hands the connection to a conversation.
pub(crate) async fn open(
    app: Arc<App>,
    request: Request,
    max_message_bytes: usize,
    conversation: impl Conversation,
) -> Result<Answer, ApiError> {
    let head = handshake(&request)?;
    let full = request.finds_no_room();
    let session_app = Arc::clone(&app);
    let run = async move |mut socket: Socket| {
        if let Err(error) = socket.write_parts([&head[..]]).await {
            tracing::debug!(%error, "handshake not answered");
            return Ended::Gone;
        }
        drop(head);
        let mut session = Session::new(session_app, socket, max_message_bytes);
        let close = if full { Close::Full } else { conversation.run(&mut session).await };
        // Boxed, as everything that most connections never come to, so that it takes no room before.
        Box::pin(session.close(close)).await
    };
    request.hand_over(&app, run)
}

/// The head of the answer that makes the connection a WebSocket (RFC 6455, section 4.2.2).
fn handshake(request: &Request) -> Result<Vec<u8>, ApiError> {
    let mut head = http::Request::new(());
    *head.headers_mut() = request.headers.clone();
    *head.version_mut() = request.version();
    let response = create_response(&head).map_err(|error| match error {
        Error::Protocol(ProtocolError::MissingSecWebSocketVersionHeader) => ApiError::UpgradeRequired,
        error => ApiError::BadHandshake(error.to_string()),
    })?;
    let headers = response.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    Ok(request.responder().stream_head(response.status(), headers))
}

impl Session {
    fn new(app: Arc<App>, mut socket: Socket, max_message_bytes: usize) -> Self {
        let now = Instant::now();
        // The first beat at random, so that clients who came together do not beat together.
        let beat = now + app.config.connections.heartbeat.mul_f64(fastrand::f64());
        socket.set_due(beat);
        // The client may have spoken before it had the answer to its handshake.
        let reader = Reader::new(max_message_bytes, socket.take_unread());
        Self { app, socket, reader, beat, heard: now }
    }

    /// Waits for the client's next message, for news, or to be released. Beats and answers pings while it waits.
    pub(crate) async fn next(&mut self, mut news: impl FnMut(&mut Context<'_>) -> Poll<()>) -> Result<Next, Close> {
        let mut incoming = self.reader.next();
        loop {
            let mut answers = Vec::new();
            let received = self.answered(incoming, &mut answers);
            self.send_frames([&answers[..]]).await?;
            if let Some(message) = received? {
                return Ok(Next::Message(message));
            }
            incoming = match self.socket.next_or(&mut news).await {
                Event::Readable => self.read()?,
                Event::News => return Ok(Next::News),
                Event::Due => {
                    self.beat().await?;
                    Ok(None)
                }
                Event::Draining => Ok(None),
                Event::Released => return Ok(Next::Released),
            }
        }
    }

    /// Reads from the socket, and returns what the reader makes of it.
    fn read(&mut self) -> io::Result<Result<Option<Incoming>, Close>> {
        let Self { socket, reader, heard, .. } = self;
        let mut incoming = Ok(None);
        socket.read(|bytes| {
            *heard = Instant::now();
            incoming = reader.receive(bytes);
        })?;
        Ok(incoming)
    }

    /// The next message that has been read already. Adds to `answers` what the protocol asks for; to be sent even if
    /// this is the end.
    pub(crate) fn received(&mut self, answers: &mut Vec<u8>) -> Result<Option<Message>, Close> {
        let incoming = self.reader.next();
        self.answered(incoming, answers)
    }

    /// As [`Session::received`], beginning with what the reader gave.
    fn answered(
        &mut self,
        mut incoming: Result<Option<Incoming>, Close>,
        answers: &mut Vec<u8>,
    ) -> Result<Option<Message>, Close> {
        while let Some(received) = incoming? {
            match received {
                Incoming::Text(text) => return Ok(Some(Message::Text(text))),
                Incoming::Binary(bytes) => return Ok(Some(Message::Binary(bytes))),
                Incoming::Ping(payload) => frame::put(answers, OpCode::Control(Control::Pong), &[&payload]),
                Incoming::Pong => {}
                Incoming::Close(code) => {
                    let code = code.map(|code| u16::from(code).to_be_bytes());
                    frame::put(
                        answers,
                        OpCode::Control(Control::Close),
                        &[code.as_ref().map_or(&[], |code| &code[..])],
                    );
                    return Err(Close::ByClient);
                }
            }
            incoming = self.reader.next();
        }
        Ok(None)
    }

    async fn beat(&mut self) -> Result<(), Close> {
        let (now, period) = (Instant::now(), self.app.config.connections.heartbeat);
        if now - self.beat > period / 4 {
            // Late, because a write had to wait. Since it went on, the client lives; it has its time to say so.
            self.heard = now;
        }
        let silent_at = self.heard + 2 * period;
        if now >= silent_at {
            return Err(Close::Silent);
        }
        self.beat = silent_at.min(now + period);
        self.socket.set_due(self.beat);
        self.control(Control::Ping, &[]).await
    }

    async fn control(&mut self, control: Control, payload: &[u8]) -> Result<(), Close> {
        let mut frame = Vec::new();
        frame::put(&mut frame, OpCode::Control(control), &[payload]);
        self.send_frames([&frame[..]]).await
    }

    /// Sends a text.
    pub(crate) async fn send(&mut self, text: &str) -> Result<(), Close> {
        let mut frame = Vec::new();
        frame::put(&mut frame, OpCode::Data(Data::Text), &[text.as_bytes()]);
        self.send_frames([&frame[..]]).await
    }

    /// Writes frames that are encoded already, in as few system calls as the client allows.
    pub(crate) async fn send_frames<'a>(&mut self, frames: impl IntoIterator<Item = &'a [u8]>) -> Result<(), Close> {
        Ok(self.socket.write_parts(frames).await?)
    }

    /// Tells the client why this is the end and waits a little for its answer.
    async fn close(mut self, close: Close) -> Ended {
        if let Close::Gone(error) = close {
            tracing::debug!(%error, "connection lost");
            return Ended::Gone;
        }
        tracing::debug!(?close, "closing");
        if let Some((code, reason)) = close.code() {
            let payload = [&u16::from(code).to_be_bytes(), reason.as_bytes()].concat();
            let told = self.control(Control::Close, &payload).await;
            if told.is_ok() && close.is_answered() {
                self.socket.set_due(Instant::now() + CLOSE_PATIENCE);
                // Whether the client answers or not, the connection is closed next.
                let _ = self.closed().await;
            }
        }
        Ended::Close(self.socket)
    }

    /// Waits until the client has closed too, up to the time that is set.
    async fn closed(&mut self) -> Result<(), Close> {
        loop {
            while let Some(incoming) = self.reader.next()? {
                if matches!(incoming, Incoming::Close(_)) {
                    return Ok(());
                }
            }
            match self.socket.next_or(|_| Poll::Pending).await {
                Event::Readable => self.socket.read(|bytes| self.reader.push(bytes))?,
                Event::Due => return Ok(()),
                _ => {}
            }
        }
    }
}
