//! A client of any method, as the documentation asks for.

use std::collections::VecDeque;
use std::pin::Pin;

use eventsource_stream::{Event, Eventsource};
use futures_util::{Stream, StreamExt};
use serde_json::Value;
use testkit::{client, soon};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::replica::{Endpoint, Method, Replica};

/// A message or a gap, as a client receives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A message.
    Message {
        /// Its id, which is the client's cursor from here on.
        id: String,
        /// Its text.
        text: String,
    },
    /// Messages are missing.
    Gap {
        /// The reason.
        reason: String,
        /// The cursor that the client had.
        since: String,
        /// The cursor after the gap.
        cursor: String,
    },
}

impl Received {
    /// The text of a message, or the reason of a gap after `gap: `.
    pub fn short(&self) -> String {
        match self {
            Self::Message { text, .. } => text.clone(),
            Self::Gap { reason, .. } => format!("gap: {reason}"),
        }
    }

    fn message(message: &Value) -> Self {
        Self::Message { id: text(message, "id"), text: text(message, "text") }
    }

    fn gap(gap: &Value) -> Self {
        Self::Gap { reason: text(gap, "reason"), since: text(gap, "since"), cursor: text(gap, "cursor") }
    }
}

/// A client that follows one service, until it moves to another.
pub struct Client {
    topics: String,
    /// The cursor after everything that it has received.
    pub cursor: String,
    connection: Option<Connection>,
}

enum Connection {
    WebSocket(Box<WebSocketStream<MaybeTlsStream<TcpStream>>>),
    EventStream(Pin<Box<dyn Stream<Item = Event> + Send>>),
    LongPoll { base: String, page: VecDeque<Received>, next: String },
}

/// All of these panic when the service does not do its part.
impl Client {
    /// Follows topics, given as `topic=a&topic=b`, from now on.
    pub async fn follow(replica: &Replica, topics: &str) -> Self {
        let now = replica.page(&format!("{topics}&since=now")).await;
        Self::resume(replica, topics, &text(&now, "cursor")).await
    }

    /// Follows topics from a cursor on.
    pub async fn resume(replica: &Replica, topics: &str, cursor: &str) -> Self {
        let mut client = Self { topics: topics.to_owned(), cursor: cursor.to_owned(), connection: None };
        client.move_to(replica).await;
        client
    }

    /// Moves to another service.
    pub async fn move_to(&mut self, endpoint: impl Into<Endpoint>) {
        assert!(self.try_move_to(endpoint).await, "the service accepts the client");
    }

    /// Moves to another service, if that accepts it.
    pub async fn try_move_to(&mut self, endpoint: impl Into<Endpoint>) -> bool {
        let endpoint = endpoint.into();
        self.connection = self.connect(endpoint).await;
        self.connection.is_some()
    }

    async fn connect(&mut self, Endpoint { method, address }: Endpoint) -> Option<Connection> {
        let query = format!("{}&since={}", self.topics, self.cursor);
        Some(match method {
            Method::WebSocket => {
                let mut socket = soon(connect_async(format!("ws://{address}/feed?{query}"))).await.ok()?.0;
                // The first frame is the welcome.
                soon(socket.next()).await?.ok()?;
                Connection::WebSocket(Box::new(socket))
            }
            Method::EventStream => {
                let response = soon(client().get(format!("http://{address}/events?{query}")).send()).await.ok()?;
                if response.status() != 200 {
                    return None;
                }
                let events = response.bytes_stream().eventsource();
                let events = events.take_while(|event| std::future::ready(event.is_ok()));
                Connection::EventStream(Box::pin(events.filter_map(|event| std::future::ready(event.ok()))))
            }
            Method::LongPoll => Connection::LongPoll {
                base: format!("http://{address}/poll?{}&wait=20", self.topics),
                page: VecDeque::new(),
                next: self.cursor.clone(),
            },
        })
    }

    /// Returns what the client receives next, or `None` when the connection has ended.
    pub async fn try_next(&mut self) -> Option<Received> {
        let received = match self.connection.as_mut().expect("the client is connected") {
            Connection::WebSocket(socket) => loop {
                match socket.next().await? {
                    Ok(Message::Text(json)) => {
                        let frame: Value = serde_json::from_str(&json).expect("frames are JSON");
                        break match frame["type"].as_str() {
                            Some("position") => {
                                self.cursor = text(&frame, "cursor");
                                continue;
                            }
                            Some("gap") => Received::gap(&frame),
                            Some("message") => Received::message(&frame),
                            _ => panic!("{frame}"),
                        };
                    }
                    Ok(Message::Close(_)) | Err(_) => return None,
                    Ok(_) => {}
                }
            },
            Connection::EventStream(events) => {
                let event = events.next().await?;
                match event.event.as_str() {
                    "gap" => Received::gap(&serde_json::from_str(&event.data).expect("a gap is JSON")),
                    _ => Received::Message { id: event.id, text: event.data },
                }
            }
            Connection::LongPoll { base, page, next } => loop {
                if let Some(received) = page.pop_front() {
                    break received;
                }
                let answer = client().get(format!("{base}&since={next}")).send().await.ok()?;
                if answer.status() != 200 {
                    return None;
                }
                let answer: Value = answer.json().await.ok()?;
                page.extend(Some(&answer["gap"]).filter(|gap| !gap.is_null()).map(Received::gap));
                page.extend(answer["messages"].as_array().expect("a page has messages").iter().map(Received::message));
                *next = text(&answer, "cursor");
            },
        };
        self.cursor = match &received {
            Received::Message { id, .. } => id.clone(),
            Received::Gap { cursor, .. } => cursor.clone(),
        };
        Some(received)
    }

    /// Returns what the client receives next.
    pub async fn next(&mut self) -> Received {
        soon(self.try_next()).await.expect("the connection has not ended")
    }

    /// The texts of the next messages, with gaps as [`Received::short`] has them.
    pub async fn texts(&mut self, count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        for _ in 0..count {
            texts.push(self.next().await.short());
        }
        texts
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("topics", &self.topics).field("cursor", &self.cursor).finish_non_exhaustive()
    }
}

fn text(json: &Value, field: &str) -> String {
    json[field].as_str().unwrap_or_else(|| panic!("{field} is not in {json}")).to_owned()
}
