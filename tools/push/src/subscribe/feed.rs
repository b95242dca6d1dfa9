//! A connection by WebSocket: `/feed`.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use reqwest::Upgraded;
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{self, Message as Frame};

use super::query::query;
use super::received::Received;
use super::silence::{BEGINNING, SILENCE, silence, silent};
use crate::connection::{Method, Service, Trouble, WebSocket};
use crate::message::{Gap, Message};

/// The time for a goodbye.
const GOODBYE: Duration = Duration::from_millis(500);

/// A frame of the feed.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum FeedFrame {
    Welcome {
        cursor: String,
    },
    Message(Message),
    Position {
        cursor: String,
    },
    Heartbeat {
        period: f64,
    },
    Gap(Gap),
    TokenExpiring,
    Error {
        error: Option<String>,
        message: String,
    },
    #[serde(other)]
    Other,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Feed {
    service: Service,
    socket: WebSocketStream<Upgraded>,
    /// The token that counts on this connection.
    token: Option<String>,
    silence: Duration,
    /// Frames that have come and have not been taken.
    come: VecDeque<Result<Frame, tungstenite::Error>>,
}

impl Feed {
    pub(super) async fn open(service: &Service, topics: &[String], since: &str) -> Result<(Self, String), Trouble> {
        let token = service.token()?;
        let query = query(topics, since).into_iter().chain([("heartbeat", "1")]);
        let opening = WebSocket::open(service, service.url("/feed", query));
        let upgraded = timeout(BEGINNING, opening).await.map_err(|_| silent(Method::Ws, BEGINNING))??;
        let socket = WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await;
        let mut feed = Self { service: service.clone(), socket, token, silence: BEGINNING, come: VecDeque::new() };
        loop {
            if let Received::Position(cursor) = feed.next().await? {
                feed.silence = SILENCE;
                return Ok((feed, cursor));
            }
        }
    }

    pub(super) async fn next(&mut self) -> Result<Received, Trouble> {
        let frame = match self.come.pop_front() {
            Some(frame) => Some(frame),
            None => timeout(self.silence, self.socket.next()).await.map_err(|_| silent(Method::Ws, self.silence))?,
        };
        match frame {
            Some(Ok(Frame::Text(text))) => self.take(&text).await,
            Some(Ok(Frame::Close(frame))) => Err(closed(frame)),
            Some(Ok(_)) => Ok(Received::Alive),
            Some(Err(error)) => Err(self.broken(&error)),
            None => Err(closed(None)),
        }
    }

    pub(super) fn has_more(&mut self) -> bool {
        if self.come.is_empty() {
            self.come.extend(self.socket.next().now_or_never().flatten());
        }
        !self.come.is_empty()
    }

    pub(super) async fn close(mut self) {
        // The service may have gone, or not answer.
        let _ = timeout(GOODBYE, async {
            self.socket.close(None).await?;
            while self.socket.next().await.transpose()?.is_some() {}
            Ok::<_, tungstenite::Error>(())
        })
        .await;
    }

    async fn take(&mut self, text: &str) -> Result<Received, Trouble> {
        let frame = serde_json::from_str(text).map_err(|error| self.service.strange(&error))?;
        Ok(match frame {
            FeedFrame::Welcome { cursor } | FeedFrame::Position { cursor } => Received::Position(cursor),
            FeedFrame::Message(message) => Received::Message(message),
            FeedFrame::Gap(gap) => Received::Gap(gap),
            FeedFrame::Heartbeat { period } => {
                self.silence = silence(period);
                Received::Alive
            }
            FeedFrame::TokenExpiring => {
                self.renew().await?;
                Received::Alive
            }
            FeedFrame::Error { error, message } => {
                let error = error.unwrap_or_default();
                crate::notice::warning(&format!("the service says: {error}: {message}"));
                Received::Alive
            }
            FeedFrame::Other => Received::Alive,
        })
    }

    /// Sends the token of the file, if that is another one by now.
    async fn renew(&mut self) -> Result<(), Trouble> {
        // A file that is being written has one for the next connection.
        let token = self.service.token().unwrap_or_else(|_| self.token.clone());
        if token == self.token {
            return Ok(());
        }
        let frame = json!({ "type": "token", "token": token }).to_string();
        self.token = token;
        self.socket.send(Frame::text(frame)).await.map_err(|error| self.broken(&error))
    }

    fn broken(&self, error: &tungstenite::Error) -> Trouble {
        Trouble::Cut(format!("{}: the connection broke: {error}", self.service.name()))
    }
}

/// Returns the reason why the service closed (docs/protocol.md has the codes).
fn closed(frame: Option<CloseFrame>) -> Trouble {
    let Some(CloseFrame { code, reason }) = frame else {
        return Trouble::Cut("the connection was closed".to_owned());
    };
    let code = u16::from(code);
    let meaning = match code {
        1012 => "the service is shutting down",
        1013 => "the service is full",
        3000 => "the token has ended",
        _ => "the service closed the connection",
    };
    let reason = if reason.is_empty() { String::new() } else { format!(", {reason}") };
    Trouble::Cut(format!("{meaning} ({code}{reason})"))
}
