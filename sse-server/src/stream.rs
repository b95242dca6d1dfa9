//! `GET /events`: a stream of Server-Sent Events.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use serving::app::App;
use serving::connection::{Answer, Client, Event, Flow, Session};
use serving::error::ApiError;
use serving::metrics::{Delivery, End};
use serving::query::{Parameters, TICKET};
use serving::reply::{Body, Reply};
use serving::request::Request;
use shared::cursor::{Cursor, Position};
use shared::hub::{BatchLimit, EncodedBatch, Subscriber};
use tokio::time::Instant;
use tracing::debug;
use warp::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use warp::http::{HeaderMap, HeaderName, StatusCode};

use crate::format::{self, StreamFormat};

/// The limit of one write. The next batch is read once the client has taken this one.
const BATCH: BatchLimit = BatchLimit { messages: 64, bytes: 64 * 1024 };

const HEADERS: [(HeaderName, &str); 3] = [
    (CONTENT_TYPE, "text/event-stream"),
    (CACHE_CONTROL, "no-cache, no-transform"),
    // Nginx holds answers back otherwise.
    (HeaderName::from_static("x-accel-buffering"), "no"),
];

/// The parameters of the route.
const PARAMETERS: Parameters = Parameters {
    repeated: &["topic"],
    single: &["since", "data", "heartbeat", LAST_EVENT_ID, LAST_EVENT_ID_OF_POLYFILLS, TICKET],
};

/// The header by which browsers say what they have received, and the parameter of libraries that cannot set headers.
const LAST_EVENT_ID: &str = "last-event-id";

/// The same parameter as other libraries write it.
const LAST_EVENT_ID_OF_POLYFILLS: &str = "lastEventId";

/// Answers a request for the stream. An `EventSource` never gives up because it was turned away for now.
pub(crate) async fn answer(app: Arc<App>, request: Request) -> Result<Answer, ApiError> {
    let accepts_events = accepts_events(&request.headers);
    let turned_away = match events(Arc::clone(&app), request).await {
        Err(
            error @ (ApiError::Full
            | ApiError::TooManyPatterns { .. }
            | ApiError::TooManyTopics { .. }
            | ApiError::Draining
            | ApiError::NotReady(_)),
        ) if accepts_events => error,
        answer => return answer,
    };
    debug!(error = turned_away.code(), "refused");
    app.count_error(&turned_away);
    Ok(whole(Body::from_iter([format::turned_away(&turned_away).into()])))
}

/// Returns whether a client asks for events by their type, as every `EventSource` does (WHATWG HTML, section 9.2.2).
pub(crate) fn accepts_events(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut ranges = values.flat_map(|value| value.split(','));
    ranges.any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default();
        essence.eq_ignore_ascii_case("text/event-stream") && !parts.any(is_weight_of_zero)
    })
}

/// Returns whether a parameter says that its media range is not acceptable (RFC 9110, section 12.4.2).
fn is_weight_of_zero(parameter: &str) -> bool {
    let weight = parameter.split_once('=').filter(|(name, _)| name.eq_ignore_ascii_case("q"));
    weight.and_then(|(_, weight)| weight.parse::<f32>().ok()).is_some_and(|weight| weight == 0.0)
}

async fn events(app: Arc<App>, request: Request) -> Result<Answer, ApiError> {
    if request.finds_no_room() {
        return Err(ApiError::Full);
    }
    request.query.check(&PARAMETERS)?;
    let topics = request.query.topics()?;
    let (format, shows_heartbeats) = (format_of(&request)?, request.query.is_on("heartbeat")?);
    let since = request.query.since()?;
    // A browser that reconnects repeats the query of its first request, so what it has received since then counts.
    let from = last_event_id(&request).or(since).unwrap_or(Position::Now);
    let access = request.access(&app).await?;
    let subscriber = app.subscribe(&topics, from, &access).await?;
    if request.is_head() {
        request.hold(&access, HeadOfStream)
    } else {
        request.hold(&access, Stream::new(subscriber, format, shows_heartbeats))
    }
}

/// Returns an answer with the head of a stream and a body that ends.
fn whole(body: Body) -> Answer {
    let reply = Reply::new(StatusCode::OK, body);
    HEADERS.into_iter().fold(reply, |reply, (name, value)| reply.with(name, value)).into()
}

/// Returns the form of the stream that a request asks for.
fn format_of(request: &Request) -> Result<StreamFormat, ApiError> {
    let json = match request.query.get("data").as_deref() {
        None => false,
        Some("json") => true,
        Some(_) => {
            let reason = "write json for whole messages as JSON, or leave it out for their texts".to_owned();
            return Err(ApiError::BadParameter { parameter: "data", reason });
        }
    };
    Ok(StreamFormat::new(request.version(), json))
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

/// The answer to `HEAD`.
struct HeadOfStream;

impl Session for HeadOfStream {
    fn begin(&mut self, client: &mut Client) {
        client.begin_stream(&HEADERS, &[]);
    }

    fn on(&mut self, _: Event, _: &mut Client) -> Flow {
        Flow::Finish
    }

    fn poll_event(&mut self, _: &mut Context<'_>) -> Poll<Event> {
        Poll::Ready(Event::Done)
    }
}

/// The stream of one client.
struct Stream {
    subscriber: Subscriber,
    format: StreamFormat,
    /// Heartbeats are events, which scripts can see.
    shows_heartbeats: bool,
    /// The subscriber's position at the last delivery or heartbeat.
    reported: Cursor,
    /// The reason why it is this client's turn to go, once it has everything.
    parting: Option<Parting>,
}

/// The reason why a stream ends.
#[derive(Debug, Clone, Copy)]
enum Parting {
    /// The service is shutting down.
    Released,
    /// The client's token has expired.
    Expired,
}

impl Stream {
    fn new(subscriber: Subscriber, format: StreamFormat, shows_heartbeats: bool) -> Self {
        let reported = subscriber.cursor();
        Self { subscriber, format, shows_heartbeats, reported, parting: None }
    }

    /// The interval of heartbeats, where scripts are to see them.
    fn shown_period(&self, client: &Client) -> Option<Duration> {
        self.shows_heartbeats.then_some(client.app().config.connections.heartbeat)
    }

    /// Writes one batch of what waits. Returns whether more can be read now.
    fn deliver(&mut self, client: &mut Client) -> bool {
        let mut batch = self.subscriber.read_encoded(self.format.messages, BATCH);
        let delivery = Delivery::encoded(&mut batch);
        let EncodedBatch { gap, bytes, more, .. } = batch;
        let gap = gap.map(|gap| self.format.encode(format::gap(&gap))).unwrap_or_default();
        // An empty batch with more to come means that older messages are being fetched or searched.
        let is_empty = gap.is_empty() && bytes.is_empty();
        client.deliver([gap, bytes], &delivery);
        if !is_empty {
            self.reported = self.subscriber.cursor();
        }
        more && !is_empty
    }
}

impl Session for Stream {
    fn begin(&mut self, client: &mut Client) {
        let first = format::priming_event(self.reported, self.shown_period(client));
        client.begin_stream(&HEADERS, &self.format.encode(first));
        // The first heartbeat at random, so that those of clients that came together are spread.
        let period = client.app().config.connections.heartbeat;
        client.set_due(Instant::now() + period.mul_f64(fastrand::f64()));
    }

    fn on(&mut self, event: Event, client: &mut Client) -> Flow {
        match event {
            Event::News => {}
            Event::Released => self.parting = Some(Parting::Released),
            Event::Expired => self.parting = Some(Parting::Expired),
            Event::Due => {
                client.set_due(Instant::now() + client.app().config.connections.heartbeat);
                self.deliver(client);
                let reached = self.subscriber.cursor();
                let moved_to = (reached != self.reported).then_some(reached);
                let heartbeat = format::heartbeat(moved_to, self.shown_period(client));
                client.write_shared([self.format.encode(heartbeat)]);
                self.reported = reached;
                return Flow::Continue;
            }
            Event::Readable => {
                client.discard_input();
                return Flow::Continue;
            }
            Event::Draining | Event::Done | Event::Expiring => return Flow::Continue,
        }
        let more = self.deliver(client);
        if let Some(parting) = self.parting
            && !more
            && !self.subscriber.is_searching()
        {
            let last = self.format.encode(match parting {
                Parting::Released => format!("{}\n", format::retry()),
                Parting::Expired => format::expired(),
            });
            client.write_shared([last, self.format.end()]);
            client.set_end(match parting {
                Parting::Released => End::Draining,
                Parting::Expired => End::Expired,
            });
            return Flow::Finish;
        }
        Flow::Continue
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if self.parting.is_some() && !self.subscriber.is_searching() {
            return Poll::Ready(Event::News);
        }
        self.subscriber.poll_changed(cx).map(|()| Event::News)
    }

    fn subscriber(&self) -> Option<&Subscriber> {
        Some(&self.subscriber)
    }
}

#[cfg(test)]
mod tests;
