//! `GET /events`: a stream of Server-Sent Events, written straight to the socket.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serving::app::App;
use serving::http::{Answer, ApiError, Ended, Event, Request, Socket, Unread};
use shared::cursor::{Cursor, Position};
use shared::gap::Gap;
use shared::hub::{BatchLimit, EncodedBatch, Format, Subscriber};
use shared::message::Message;
use tokio::time::Instant;
use warp::http::{HeaderValue, StatusCode};

/// What is written at once: more messages than this are read from the history only when these are on their way.
const BATCH: BatchLimit = BatchLimit { messages: 64, bytes: 64 * 1024 };

/// How long a client waits before it connects again, at random within this range, in milliseconds.
const RETRY_MILLIS: std::ops::Range<u32> = 1_000..3_000;

const HEADERS: [(&str, &str); 3] = [
    ("content-type", "text/event-stream"),
    ("cache-control", "no-cache, no-transform"),
    // Nginx holds answers back otherwise.
    ("x-accel-buffering", "no"),
];

/// The format of the stream.
static TEXT: Format = Format::new(encode);

/// A message as an event: its cursor as `id`, its `event` where it has one, and a `data` line for each line of its text.
fn encode(message: &Message) -> Bytes {
    let mut event = format!("id: {}\n", message.id);
    if let Some(name) = &message.event {
        event.push_str("event: ");
        event.push_str(name.as_str());
        event.push('\n');
    }
    // All three line ends would end a field, and the client joins the lines by \n again.
    for line in message.text.replace("\r\n", "\n").split(['\n', '\r']) {
        event.push_str("data: ");
        event.push_str(line);
        event.push('\n');
    }
    event.push('\n');
    event.into()
}

/// Answers a request for the stream.
pub(crate) async fn events(app: Arc<App>, request: Request) -> Result<Answer, ApiError> {
    let topics = request.query.topics()?;
    // A browser that reconnects repeats the query of its first request, so what it has seen since then counts.
    let last_event_id = match request.headers.get("last-event-id").map(HeaderValue::as_bytes) {
        None | Some(b"") => None,
        Some(id) => Some(std::str::from_utf8(id).unwrap_or_default().parse()?),
    };
    let since = request.query.since()?;
    let subscriber = app.subscribe(&topics, last_event_id.or(since).unwrap_or(Position::Now)).await?;

    let head = request.responder().stream_head(StatusCode::OK, HEADERS);
    let stream = Stream { app: Arc::clone(&app), subscriber };
    request.hand_over(&app, move |socket| stream.run(socket, head))
}

/// One client's stream.
struct Stream {
    app: Arc<App>,
    subscriber: Subscriber,
}

impl Stream {
    async fn run(mut self, mut socket: Socket, head: Vec<u8>) -> Ended {
        match self.write_all(&mut socket, head).await {
            Ok(()) => Ended::Close(socket),
            Err(error) => {
                tracing::debug!(%error, "stream ended");
                Ended::Gone
            }
        }
    }

    async fn write_all(&mut self, socket: &mut Socket, mut head: Vec<u8>) -> io::Result<()> {
        head.extend_from_slice(prime(self.subscriber.cursor()).as_bytes());
        socket.write_parts([&head[..]]).await?;
        drop(head);

        // The first beat at random, so that clients who came together do not beat together.
        let period = self.app.config.connections.heartbeat;
        socket.set_due(Instant::now() + period.mul_f64(fastrand::f64()));
        let mut told = self.subscriber.cursor();
        loop {
            match socket.next(&mut self.subscriber).await {
                Event::News => {
                    self.deliver(socket).await?;
                    told = self.subscriber.cursor();
                }
                Event::Readable => socket.take_in(Unread::Discard)?,
                Event::Due => {
                    socket.set_due(Instant::now() + period);
                    self.deliver(socket).await?;
                    let reached = self.subscriber.cursor();
                    socket.write_parts([beat(reached, told).as_bytes()]).await?;
                    told = reached;
                }
                Event::Draining => {}
                Event::Released => break,
            }
        }
        self.deliver(socket).await?;
        socket.write_parts([retry().as_bytes(), b"\n"]).await
    }

    /// Writes everything that waits.
    async fn deliver(&mut self, socket: &mut Socket) -> io::Result<()> {
        loop {
            let EncodedBatch { gap, bytes, more } = self.subscriber.read_encoded(&TEXT, BATCH);
            let gap = gap.map(|gap| encode_gap(&gap)).unwrap_or_default();
            if gap.is_empty() && bytes.is_empty() {
                // Nothing, or nothing yet: `changed` tells when older messages are there.
                return Ok(());
            }
            socket.write_parts([gap.as_bytes(), &bytes]).await?;
            if !more {
                return Ok(());
            }
        }
    }
}

/// Gives the client a position before its first message. An event without data is not dispatched, but its `id` counts.
fn prime(cursor: Cursor) -> String {
    format!("{}id: {cursor}\n\n", retry())
}

fn retry() -> String {
    let wait = Duration::from_millis(fastrand::u32(RETRY_MILLIS).into());
    format!("retry: {}\n", wait.as_millis())
}

/// A sign of life, with the position if it has moved on without a message for this client.
fn beat(reached: Cursor, told: Cursor) -> String {
    if reached == told { ":\n\n".to_owned() } else { format!(":\nid: {reached}\n\n") }
}

fn encode_gap(gap: &Gap) -> String {
    let json = serde_json::to_string(gap).expect("a gap is always valid JSON");
    format!("id: {}\nevent: gap\ndata: {json}\n\n", gap.cursor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::message::EventName;
    use shared::timestamp::Timestamp;
    use shared::topic::Topic;

    fn encoded(text: &str, event: Option<&str>) -> String {
        let message = Message {
            id: "e-7".parse().unwrap(),
            topic: Topic::default(),
            text: text.into(),
            event: event.map(|name| EventName::try_from(name.to_owned()).unwrap()),
            at: Timestamp::now(),
        };
        String::from_utf8(encode(&message).to_vec()).unwrap()
    }

    #[test]
    fn every_line_of_a_text_is_a_field() {
        assert_eq!(encoded("hello", None), "id: e-7\ndata: hello\n\n");
        assert_eq!(encoded("", None), "id: e-7\ndata: \n\n");
        assert_eq!(encoded("a", Some("news")), "id: e-7\nevent: news\ndata: a\n\n");
        // None of these may end the event or begin a field of its own.
        assert_eq!(
            encoded("a\nid: x\r\revent: y\r\n b", None),
            "id: e-7\ndata: a\ndata: id: x\ndata: \ndata: event: y\ndata:  b\n\n"
        );
    }
}
