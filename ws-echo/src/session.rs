//! A WebSocket from handshake to close.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use shared::app::App;
use shared::http::{ApiError, Ended, Request, Socket};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::server::create_response;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use warp::http;
use warp::reply::Response;

use crate::close::Close;

/// What is kept for reading on each connection, in bytes. A message that is larger is read in more steps.
const READ_BUFFER: usize = 1024;

/// How long the client has to answer a close.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// A WebSocket after its handshake.
pub(crate) struct Session {
    pub(crate) app: Arc<App>,
    pub(crate) websocket: WebSocketStream<Socket>,
    heartbeat: Interval,
    /// When the client last gave a sign of life.
    heard: Instant,
}

/// What is said on a WebSocket.
pub(crate) trait Conversation: Send + 'static {
    /// Talks until there is a reason to close.
    fn run(self, session: &mut Session) -> impl Future<Output = Close> + Send;
}

/// Answers the handshake and hands the connection to a conversation. Returns only if there is no WebSocket to be
/// had.
pub(crate) async fn open(
    app: Arc<App>,
    request: Request,
    max_message_bytes: usize,
    conversation: impl Conversation,
) -> Result<Response, ApiError> {
    let head = handshake(&request)?;
    let full = request.finds_no_room();
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(Some(max_message_bytes))
        .max_frame_size(Some(max_message_bytes));
    let session_app = Arc::clone(&app);
    let run = async move |mut socket: Socket| {
        if let Err(error) = socket.write_parts([&head[..]]).await {
            tracing::debug!(%error, "handshake not answered");
            return Ended::Gone;
        }
        drop(head);
        let websocket = WebSocketStream::from_raw_socket(socket, Role::Server, Some(config)).await;
        let mut session = Session::new(session_app, websocket);
        let close = if full { Close::Full } else { conversation.run(&mut session).await };
        session.close(close).await
    };
    match request.hand_over(&app, run).await? {}
}

/// The head of the answer that makes the connection a WebSocket (RFC 6455, section 4.2.2).
fn handshake(request: &Request) -> Result<Vec<u8>, ApiError> {
    let mut head = http::Request::new(());
    *head.headers_mut() = request.headers.clone();
    *head.version_mut() = request.version;
    let response = create_response(&head).map_err(|error| match error {
        Error::Protocol(ProtocolError::MissingSecWebSocketVersionHeader) => ApiError::UpgradeRequired,
        error => ApiError::BadHandshake(error.to_string()),
    })?;
    Ok(request.responder().stream_head(response.status(), response.headers()))
}

impl Session {
    fn new(app: Arc<App>, websocket: WebSocketStream<Socket>) -> Self {
        // The first beat at random, so that clients who came together do not beat together.
        let period = app.config.connections.heartbeat;
        let mut heartbeat = interval_at(Instant::now() + period.mul_f64(fastrand::f64()), period);
        // After a write that had to wait, the client has its time to answer.
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { app, websocket, heartbeat, heard: Instant::now() }
    }

    /// Waits for the client's next message. Beats while it waits.
    pub(crate) async fn receive(&mut self) -> Result<Message, Close> {
        loop {
            tokio::select! {
                biased;
                message = self.websocket.next() => {
                    self.heard = Instant::now();
                    match message {
                        None => return Err(Close::ByClient),
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                        Some(Ok(Message::Close(_))) => {
                            self.websocket.flush().await?;
                            return Err(Close::ByClient);
                        }
                        Some(message) => return Ok(message?),
                    }
                }
                due = self.heartbeat.tick() => {
                    let (now, period) = (Instant::now(), self.heartbeat.period());
                    if now - due > period / 4 {
                        // Late, because a write had to wait. Since it went on, the client lives; it has its time to say so.
                        self.heard = now;
                    }
                    let silent_at = self.heard + 2 * period;
                    if now >= silent_at {
                        return Err(Close::Silent);
                    }
                    if silent_at < now + period {
                        self.heartbeat.reset_at(silent_at);
                    }
                    self.websocket.send(Message::Ping(Default::default())).await?;
                }
            }
        }
    }

    /// Sends a text.
    pub(crate) async fn send(&mut self, text: impl Into<Utf8Bytes>) -> Result<(), Close> {
        Ok(self.websocket.send(Message::Text(text.into())).await?)
    }

    /// Writes frames that are encoded already, in as few system calls as the client allows.
    pub(crate) async fn send_frames<'a>(&mut self, frames: impl IntoIterator<Item = &'a [u8]>) -> Result<(), Close> {
        // What the protocol library holds, an answer to a ping for instance, goes first and whole.
        self.websocket.flush().await?;
        Ok(self.websocket.get_mut().write_parts(frames).await?)
    }

    /// Tells the client why this is the end and waits a little for its answer.
    async fn close(mut self, close: Close) -> Ended {
        if let Close::Gone(error) = close {
            tracing::debug!(%error, "connection lost");
            return Ended::Gone;
        }
        tracing::debug!(?close, "closing");
        if let Some(frame) = close.frame() {
            let farewell = async {
                if self.websocket.close(Some(frame)).await.is_ok() {
                    while let Some(Ok(_)) = self.websocket.next().await {}
                }
            };
            // Whether the client answers or not, the connection is closed next.
            let _ = timeout(CLOSE_PATIENCE, farewell).await;
        }
        Ended::Close(self.websocket.into_inner())
    }
}
