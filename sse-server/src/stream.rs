//! `GET /events`: a stream of Server-Sent Events.

use std::sync::Arc;
use std::task::{Context, Poll};

use serving::app::App;
use serving::connection::{Answer, Client, Event, Flow, Session};
use serving::error::ApiError;
use serving::request::Request;
use shared::cursor::{Cursor, Position};
use shared::hub::{BatchLimit, EncodedBatch, Subscriber};
use tokio::time::Instant;
use warp::http::HeaderName;
use warp::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};

use crate::format;

/// The limit of one write. The next batch is read once the client has taken this one.
const BATCH: BatchLimit = BatchLimit { messages: 64, bytes: 64 * 1024 };

const HEADERS: [(HeaderName, &str); 3] = [
    (CONTENT_TYPE, "text/event-stream"),
    (CACHE_CONTROL, "no-cache, no-transform"),
    // Nginx holds answers back otherwise.
    (HeaderName::from_static("x-accel-buffering"), "no"),
];

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
    request.hold(Stream::new(subscriber))
}

/// The stream of one client.
struct Stream {
    subscriber: Subscriber,
    /// The subscriber's position at the last delivery or heartbeat.
    reported: Cursor,
    /// The service is shutting down and it is this client's turn to go, once it has everything.
    is_released: bool,
}

impl Stream {
    fn new(subscriber: Subscriber) -> Self {
        let reported = subscriber.cursor();
        Self { subscriber, reported, is_released: false }
    }

    /// Writes one batch of what waits. Returns whether more can be read now.
    fn deliver(&mut self, client: &mut Client) -> bool {
        let EncodedBatch { gap, bytes, more } = self.subscriber.read_encoded(&format::TEXT, BATCH);
        let gap = gap.map(|gap| format::gap(&gap)).unwrap_or_default();
        // An empty batch with more to come means that older messages are being fetched.
        let more = more && !(gap.is_empty() && bytes.is_empty());
        client.write_shared([gap, bytes]);
        more
    }
}

impl Session for Stream {
    fn begin(&mut self, client: &mut Client) {
        client.begin_stream(&HEADERS, format::priming_event(self.reported).as_bytes());
        // The first heartbeat at random, so that those of clients that came together are spread.
        let period = client.app().config.connections.heartbeat;
        client.set_due(Instant::now() + period.mul_f64(fastrand::f64()));
    }

    fn on(&mut self, event: Event, client: &mut Client) -> Flow {
        match event {
            Event::News => {}
            Event::Released => self.is_released = true,
            Event::Due => {
                client.set_due(Instant::now() + client.app().config.connections.heartbeat);
                self.deliver(client);
                let reached = self.subscriber.cursor();
                client.write_shared([format::heartbeat(reached, self.reported)]);
                self.reported = reached;
                return Flow::Continue;
            }
            Event::Readable => {
                client.discard_input();
                return Flow::Continue;
            }
            Event::Draining | Event::Done => return Flow::Continue,
        }
        let more = self.deliver(client);
        self.reported = self.subscriber.cursor();
        if self.is_released && !more {
            client.write(format!("{}\n", format::retry()).as_bytes());
            return Flow::Finish;
        }
        Flow::Continue
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if self.is_released {
            return Poll::Ready(Event::News);
        }
        self.subscriber.poll_changed(cx).map(|()| Event::News)
    }
}

#[cfg(test)]
mod tests;
