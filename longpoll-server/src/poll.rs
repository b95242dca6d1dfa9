//! `GET /poll`: answered at once if there is something, else held until there is.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use shared::app::App;
use shared::cursor::Position;
use shared::http::{ApiError, Ended, Request, Responder, Socket, Unread};
use shared::hub::{Batch, BatchLimit, Subscriber};
use shared::message::Message;
use shared::page;
use tokio::time::sleep;
use warp::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use warp::http::{self, HeaderValue, StatusCode};
use warp::reply::Response;

use crate::queue::{Queues, Turn};

/// The longest time that a request may ask to be held.
const MAX_WAIT: Duration = Duration::from_secs(55);

/// How long more messages of a burst are waited for once there is one.
const GATHER: Duration = Duration::from_millis(2);

/// A message as the JSON that a page holds.
pub(crate) fn encode(message: &Message) -> Bytes {
    message.to_json().into()
}

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
    pub(crate) async fn answer(&self, request: Request) -> Result<Response, ApiError> {
        match request.query.since()? {
            Some(since) => self.page(request, since).await,
            None => self.one(request).await,
        }
    }

    /// What comes after a cursor.
    async fn page(&self, request: Request, since: Position) -> Result<Response, ApiError> {
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
        let batch = self.app.read(&mut held.subscriber, held.limit).await?;
        if !batch.is_empty() || wait.is_zero() {
            return Ok(whole(held.answer(&batch)));
        }
        let app = Arc::clone(&self.app);
        match request.hand_over(&self.app, move |socket| held.run(socket, app, wait)).await? {}
    }

    /// The next message of the topic's queue.
    async fn one(&self, request: Request) -> Result<Response, ApiError> {
        let topic = request.query.one_topic()?;
        if request.query.get("limit").is_some() {
            let reason = "goes with `since`; without, one message is answered".to_owned();
            return Err(ApiError::BadParameter { parameter: "limit", reason });
        }
        let wait = request.query.seconds("wait", MAX_WAIT)?.unwrap_or(self.hold);
        let turn = match self.queues.take(&topic).await? {
            Ok(message) => return Ok(whole(answer_with(StatusCode::OK, message.to_vec()))),
            Err(_) if wait.is_zero() => return Ok(whole(answer_with(StatusCode::NO_CONTENT, Vec::new()))),
            Err(turn) => turn,
        };
        let held = HeldTurn { turn, responder: request.responder() };
        let app = Arc::clone(&self.app);
        match request.hand_over(&self.app, move |socket| held.run(socket, app, wait)).await? {}
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
        let released = pin!(app.drain.released());
        tokio::select! {
            biased;
            () = socket.gone(Unread::Keep) => return Ended::Gone,
            () = self.subscriber.changed() => sleep(GATHER).await,
            () = released => {}
            () = sleep(wait) => {}
        }
        // Where older messages cannot be read now, nothing is told, and the client asks again with the cursor it has.
        let nothing_yet = || Batch { more: true, ..Batch::default() };
        let batch = app.read(&mut self.subscriber, self.limit).await.unwrap_or_else(|_| nothing_yet());
        let answer = self.answer(&batch);
        // The subscriber is not needed while the answer is on its way.
        let Self { subscriber, responder, .. } = self;
        drop(subscriber);
        respond(socket, &app, responder, &answer).await
    }

    fn answer(&self, batch: &Batch) -> http::Response<Vec<u8>> {
        let page = page::encode(batch, self.subscriber.cursor(), |entry| entry.wire.clone());
        answer_with(StatusCode::OK, page)
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
        let released = pin!(app.drain.released());
        let arrived = tokio::select! {
            biased;
            // First, so that a message is not taken for a client that has gone.
            () = socket.gone(Unread::Keep) => return Ended::Gone,
            message = turn.arrives() => Some(message),
            () = released => None,
            () = sleep(wait) => None,
        };
        let answer = match arrived.or_else(|| turn.give_up()) {
            Some(message) => answer_with(StatusCode::OK, message.to_vec()),
            None => answer_with(StatusCode::NO_CONTENT, Vec::new()),
        };
        respond(socket, &app, responder, &answer).await
    }
}

/// Writes an answer and leaves the connection ready for the next request, if the client wants that and the service goes
/// on.
async fn respond(mut socket: Socket, app: &App, mut responder: Responder, answer: &http::Response<Vec<u8>>) -> Ended {
    if app.drain.is_draining() {
        responder.close();
    }
    let written: io::Result<()> = socket.write_parts([&responder.whole(answer)[..]]).await;
    match written {
        Ok(()) if responder.keep_alive() => Ended::KeepAlive(socket),
        Ok(()) => Ended::Close(socket),
        Err(error) => {
            tracing::debug!(%error, "poll ended");
            Ended::Gone
        }
    }
}

fn answer_with(status: StatusCode, json: Vec<u8>) -> http::Response<Vec<u8>> {
    let mut response = http::Response::new(json);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::OK {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    response
}

fn whole(answer: http::Response<Vec<u8>>) -> Response {
    answer.map(Into::into)
}
