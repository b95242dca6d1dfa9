//! `GET /poll`: answered at once if there is something, else held until there is.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serving::app::App;
use serving::http::{Answer, ApiError, Ended, Event, Request, Responder, Socket, Unread};
use serving::page;
use shared::cursor::Position;
use shared::hub::{Batch, BatchLimit, Subscriber};
use tokio::time::Instant;
use warp::http::{HeaderValue, StatusCode};
use warp::reply::Response;

use crate::queue::{Queues, Turn};

/// The longest time that a request may ask to be held.
const MAX_WAIT: Duration = Duration::from_secs(55);

/// How long more messages of a burst are waited for once there is one.
pub(crate) const GATHER: Duration = Duration::from_millis(2);

/// What all polls share.
pub(crate) struct Poll {
    app: Arc<App>,
    queues: Arc<Queues>,
    hold: Duration,
}

impl Poll {
    pub(crate) fn new(app: Arc<App>, hold: Duration) -> Self {
        let queues = Arc::new(Queues::new(Arc::clone(&app)));
        Self { app, queues, hold }
    }

    /// Answers at once, or hands the connection over to be held.
    pub(crate) async fn answer(&self, request: Request) -> Result<Answer, ApiError> {
        match request.query.since()? {
            Some(since) => self.page(request, since).await,
            None => self.one(request).await,
        }
    }

    /// What comes after a cursor.
    async fn page(&self, request: Request, since: Position) -> Result<Answer, ApiError> {
        let topics = request.query.topics()?;
        let messages = request.query.number("limit", 1..=page::MAX_LIMIT)?.unwrap_or(page::DEFAULT_LIMIT);
        let wait = request.query.seconds("wait", MAX_WAIT)?.unwrap_or_else(|| {
            // Clients whose time runs out together would come back together.
            self.hold.mul_f64(1.0 - 0.2 * fastrand::f64())
        });
        let mut held = HeldPage {
            subscriber: self.app.subscribe(&topics, since).await?,
            limit: BatchLimit { messages, bytes: page::MAX_BYTES },
            responder: request.responder(),
        };
        let batch = self.app.read(&mut held.subscriber, &page::JSON, held.limit).await?;
        if !batch.is_empty() || wait.is_zero() {
            return Ok(response(StatusCode::OK, held.page(&batch)));
        }
        let app = Arc::clone(&self.app);
        request.hand_over(&self.app, move |socket| held.run(socket, app, wait))
    }

    /// The next message of the topic's queue.
    async fn one(&self, request: Request) -> Result<Answer, ApiError> {
        let topic = request.query.one_topic()?;
        if request.query.get("limit").is_some() {
            let reason = "goes with `since`; without, one message is answered".to_owned();
            return Err(ApiError::BadParameter { parameter: "limit", reason });
        }
        let wait = request.query.seconds("wait", MAX_WAIT)?.unwrap_or(self.hold);
        let turn = match self.queues.take(&topic).await? {
            Ok(message) => return Ok(response(StatusCode::OK, message)),
            Err(_) if wait.is_zero() => return Ok(response(StatusCode::NO_CONTENT, "")),
            Err(turn) => turn,
        };
        let held = HeldTurn { turn, responder: request.responder() };
        let app = Arc::clone(&self.app);
        request.hand_over(&self.app, move |socket| held.run(socket, app, wait))
    }
}

/// A request that waits for what comes after its cursor.
struct HeldPage {
    subscriber: Subscriber,
    limit: BatchLimit,
    responder: Responder,
}

impl HeldPage {
    async fn run(mut self, mut socket: Socket, app: Arc<App>, wait: Duration) -> Ended {
        socket.set_due(Instant::now() + wait);
        loop {
            match socket.next(&mut self.subscriber).await {
                Event::News | Event::Due | Event::Released => break,
                Event::Readable if socket.take_in(Unread::Keep).is_err() => return Ended::Gone,
                Event::Readable | Event::Draining => {}
            }
        }
        // Where older messages cannot be read now, nothing is told, and the client asks again with the cursor it has.
        let nothing_yet = || Batch { more: true, ..Batch::default() };
        let batch = app.read(&mut self.subscriber, &page::JSON, self.limit).await.unwrap_or_else(|_| nothing_yet());
        let (answer, responder) = self.answer(&app, &batch);
        socket.answer(&responder, &answer).await
    }

    /// What is written. The subscriber is not needed while it is on its way.
    fn answer(self, app: &App, batch: &Batch) -> (Vec<u8>, Responder) {
        let page = self.page(batch);
        whole(self.responder, app, StatusCode::OK, &page)
    }

    fn page(&self, batch: &Batch) -> Vec<u8> {
        page::encode(batch, self.subscriber.cursor())
    }
}

/// A request that waits for the next message of a queue.
struct HeldTurn {
    turn: Turn,
    responder: Responder,
}

impl HeldTurn {
    async fn run(self, mut socket: Socket, app: Arc<App>, wait: Duration) -> Ended {
        let Self { mut turn, responder } = self;
        socket.set_due(Instant::now() + wait);
        let mut arrived = None;
        loop {
            let event = socket.next_or(|cx| turn.poll_arrives(cx).map(|message| arrived = Some(message)));
            match event.await {
                Event::News | Event::Due | Event::Released => break,
                // Looked at first, so that a message is not taken for a client that has gone.
                Event::Readable if socket.take_in(Unread::Keep).is_err() => return Ended::Gone,
                Event::Readable | Event::Draining => {}
            }
        }
        let (answer, responder) = match arrived.or_else(|| turn.give_up()) {
            Some(message) => whole(responder, &app, StatusCode::OK, &message),
            None => whole(responder, &app, StatusCode::NO_CONTENT, &[]),
        };
        socket.answer(&responder, &answer).await
    }
}

/// What is written for an answer. It is the last one on the connection if the service is shutting down.
fn whole(mut responder: Responder, app: &App, status: StatusCode, json: &[u8]) -> (Vec<u8>, Responder) {
    if app.drain.is_draining() {
        responder.close();
    }
    let headers = headers(status).iter().map(|(name, value)| (*name, value.as_bytes()));
    (responder.whole(status, headers, json), responder)
}

/// The same for a request that is not held.
fn response(status: StatusCode, json: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(json.into().into());
    *response.status_mut() = status;
    for (name, value) in headers(status) {
        response.headers_mut().insert(*name, HeaderValue::from_static(value));
    }
    Answer::Response(response)
}

fn headers(status: StatusCode) -> &'static [(&'static str, &'static str)] {
    const HEADERS: &[(&str, &str)] = &[("cache-control", "no-store"), ("content-type", "application/json")];
    if status == StatusCode::OK { HEADERS } else { &HEADERS[..1] }
}
