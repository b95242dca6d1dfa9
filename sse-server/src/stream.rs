//! `GET /events`: a stream of Server-Sent Events.

use std::sync::Arc;
use std::task::{Context, Poll};

use serving::app::App;
use serving::connection::{Answer, Client, Event, Flow, Session};
use serving::error::ApiError;
use serving::query::Parameters;
use serving::reply::Reply;
use serving::request::Request;
use shared::cursor::{Cursor, Position};
use shared::hub::{BatchLimit, EncodedBatch, Subscriber};
use tokio::time::Instant;
use warp::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use warp::http::{HeaderName, StatusCode};

use crate::format;

/// The size of one write. More messages than this are read from the history only when these are on their way.
const BATCH: BatchLimit = BatchLimit { messages: 64, bytes: 64 * 1024 };

const HEADERS: [(HeaderName, &str); 3] = [
    (CONTENT_TYPE, "text/event-stream"),
    (CACHE_CONTROL, "no-cache, no-transform"),
    // Nginx holds answers back otherwise.
    (HeaderName::from_static("x-accel-buffering"), "no"),
];

/// The parameters of the route.
const PARAMETERS: Parameters =
    Parameters { repeated: &["topic"], single: &["since", LAST_EVENT_ID, LAST_EVENT_ID_OF_POLYFILLS] };

/// The header by which browsers say what they have received, and the parameter of libraries that cannot set headers.
const LAST_EVENT_ID: &str = "last-event-id";

/// The same parameter as other libraries write it.
const LAST_EVENT_ID_OF_POLYFILLS: &str = "lastEventId";

/// Answers a request for the stream.
pub(crate) async fn events(app: Arc<App>, request: Request) -> Result<Answer, ApiError> {
    request.query.check(&PARAMETERS)?;
    let topics = request.query.topics()?;
    let since = request.query.since()?;
    // A browser that reconnects repeats the query of its first request, so what it has received since then counts.
    let from = last_event_id(&request).or(since).unwrap_or(Position::Now);
    let subscriber = app.subscribe(&topics, from).await?;
    let held = request.hold(Stream::new(subscriber))?;
    if request.is_head() {
        let reply = Reply::empty(StatusCode::OK);
        return Ok(HEADERS.into_iter().fold(reply, |reply, (name, value)| reply.with(name, value)).into());
    }
    Ok(held)
}

/// Returns the position that the client has reached by its own account: in the header, or else in the query. An id that is not a
/// position, such as one of another server behind the same URL, is no error, which would end an `EventSource` for good: the stream
/// begins with a gap.
fn last_event_id(request: &Request) -> Option<Position> {
    let header = request.headers.get(LAST_EVENT_ID).map(HeaderValue::as_bytes).unwrap_or_default();
    let header = String::from_utf8_lossy(header);
    let query = [LAST_EVENT_ID_OF_POLYFILLS, LAST_EVENT_ID].into_iter().filter_map(|name| request.query.get(name));
    let id = [header].into_iter().chain(query).find(|id| !id.is_empty())?;
    Some(id.parse().unwrap_or(Position::At(Cursor::UNREADABLE)))
}

/// The stream of one client.
struct Stream {
    subscriber: Subscriber,
    /// The last position that the client was given, by a message or otherwise.
    reported: Cursor,
    /// The service is shutting down and it is this client's turn to go, once it has everything.
    is_released: bool,
}

impl Stream {
    fn new(subscriber: Subscriber) -> Self {
        let reported = subscriber.cursor();
        Self { subscriber, reported, is_released: false }
    }

    /// Writes one batch of what waits. Returns whether there is more to be had at once.
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
