//! `GET /poll`: answered at once if there is something, else held until there is.

use std::sync::Arc;
use std::task::{self, Context};
use std::time::Duration;

use bytes::Bytes;
use serving::app::App;
use serving::connection::{Answer, Client, Event, Flow, Session};
use serving::error::ApiError;
use serving::metrics::{Delivery, End};
use serving::page;
use serving::query::{Parameters, TICKET};
use serving::reply::{Body, Reply};
use serving::request::Request;
use shared::cursor::Position;
use shared::hub::{Batch, BatchLimit, Entry, Subscriber};
use tokio::time::Instant;
use warp::http::StatusCode;
use warp::http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::queue::{Queues, Taken, Turn};

/// The longest time that a request may ask to be held.
const MAX_WAIT: Duration = Duration::from_secs(55);

/// The time that the messages of a burst have to join the first one of them.
pub(crate) const GATHER: Duration = Duration::from_millis(2);

/// The parameters of the route.
const PARAMETERS: Parameters = Parameters { repeated: &["topic"], single: &["since", "limit", "wait", TICKET] };

/// Answers polls.
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

    /// Answers at once, or has the request held.
    pub(crate) async fn answer(&self, request: Request) -> Result<Answer, ApiError> {
        request.query.check(&PARAMETERS)?;
        match request.query.since()? {
            Some(since) => self.page(request, since).await,
            None => self.one(request).await,
        }
    }

    /// Answers with everything after a cursor.
    async fn page(&self, request: Request, since: Position) -> Result<Answer, ApiError> {
        let topics = request.query.topics()?;
        let messages = request.query.number("limit", 1..=page::MAX_LIMIT)?.unwrap_or(page::DEFAULT_LIMIT);
        let wait = request.query.seconds("wait", MAX_WAIT)?.unwrap_or_else(|| {
            // Clients whose time runs out together would come back together.
            self.hold.mul_f64(1.0 - 0.2 * fastrand::f64())
        });
        let limit = BatchLimit { messages, bytes: page::MAX_BYTES };
        let access = request.access(&self.app).await?;
        let mut subscriber = self.app.subscribe(&topics, since, &access).await?;
        let batch = self.app.read(&mut subscriber, &page::JSON, limit).await?;
        if !batch.is_empty() || wait.is_zero() || request.is_head() {
            let (reply, delivery) = page_of(&batch, &subscriber);
            self.app.count(&delivery, request.client(), &access);
            return Ok(reply.into());
        }
        request.hold(&access, HeldPage { subscriber, limit, wait })
    }

    /// Answers with the next message of the topic's queue.
    async fn one(&self, request: Request) -> Result<Answer, ApiError> {
        let topic = request.query.one_topic()?;
        if request.query.get("limit").is_some() {
            let reason = "goes with `since`; without, one message is answered".to_owned();
            return Err(ApiError::BadParameter { parameter: "limit", reason });
        }
        let wait = request.query.seconds("wait", MAX_WAIT)?.unwrap_or(self.hold);
        let access = request.access(&self.app).await?;
        if request.is_head() {
            self.app.check_subscribe(&[topic.into()], &access)?;
            // The length is left out: no message is taken to learn it.
            return Ok(json(Body::new()).into());
        }
        match self.queues.take(&topic, &access).await? {
            Taken::Message(message) => {
                let (reply, delivery) = one_of(&message);
                self.app.count(&delivery, request.client(), &access);
                Ok(reply.into())
            }
            Taken::Turn(_) if wait.is_zero() => Ok(nothing().into()),
            Taken::Turn(turn) => request.hold(&access, HeldTurn { turn: Some(turn), message: None, wait }),
        }
    }
}

/// A request that waits for something after its cursor.
struct HeldPage {
    subscriber: Subscriber,
    limit: BatchLimit,
    wait: Duration,
}

impl Session for HeldPage {
    fn begin(&mut self, client: &mut Client) {
        client.set_due(Instant::now() + self.wait);
    }

    fn on(&mut self, event: Event, client: &mut Client) -> Flow {
        match event {
            Event::News | Event::Due | Event::Released | Event::Expired => {}
            Event::Readable => {
                client.keep_input();
                return Flow::Continue;
            }
            Event::Draining | Event::Done | Event::Expiring => return Flow::Continue,
        }
        let batch = self.subscriber.read(&page::JSON, self.limit);
        // The news may be that older messages are being fetched or searched.
        if batch.is_empty() && event == Event::News {
            return Flow::Continue;
        }
        let (reply, delivery) = page_of(&batch, &self.subscriber);
        client.answer_with(reply, &delivery);
        client.set_end(end_of(event));
        Flow::Finish
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> task::Poll<Event> {
        self.subscriber.poll_changed(cx).map(|()| Event::News)
    }

    fn subscriber(&self) -> Option<&Subscriber> {
        Some(&self.subscriber)
    }
}

/// A request that waits for the next message of a queue.
struct HeldTurn {
    turn: Option<Turn>,
    /// The message that has come.
    message: Option<Arc<Entry>>,
    wait: Duration,
}

impl Session for HeldTurn {
    fn begin(&mut self, client: &mut Client) {
        client.set_due(Instant::now() + self.wait);
    }

    fn on(&mut self, event: Event, client: &mut Client) -> Flow {
        match event {
            Event::News | Event::Due | Event::Released | Event::Expired => {
                let message = self.message.take().or_else(|| self.turn.take()?.give_up());
                match message {
                    None => client.answer(nothing()),
                    Some(message) => {
                        let (reply, delivery) = one_of(&message);
                        client.answer_with(reply, &delivery);
                    }
                }
                client.set_end(end_of(event));
                Flow::Finish
            }
            Event::Readable => {
                client.keep_input();
                Flow::Continue
            }
            Event::Draining | Event::Done | Event::Expiring => Flow::Continue,
        }
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> task::Poll<Event> {
        let Some(turn) = &mut self.turn else { return task::Poll::Pending };
        turn.poll_message(cx).map(|message| {
            self.message = Some(message);
            Event::News
        })
    }

    fn subscriber(&self) -> Option<&Subscriber> {
        self.turn.as_ref().map(Turn::subscriber)
    }
}

/// Returns the answer with a batch, and what it delivers.
fn page_of(batch: &Batch, subscriber: &Subscriber) -> (Reply, Delivery) {
    let body = page::body(batch, subscriber.cursor());
    let delivery = Delivery::page(batch, body.iter().map(Bytes::len).sum());
    (json(body), delivery)
}

/// Returns the answer with a message of a queue, and what it delivers.
fn one_of(message: &Arc<Entry>) -> (Reply, Delivery) {
    let encoded = message.encoded(&page::JSON);
    let delivery = Delivery::queued(message, encoded.len());
    (json(Body::from_iter([encoded])), delivery)
}

/// Returns the reason why a poll is held no longer.
fn end_of(event: Event) -> End {
    match event {
        Event::Released => End::Draining,
        Event::Expired => End::Expired,
        _ => End::Answered,
    }
}

fn json(body: Body) -> Reply {
    Reply::new(StatusCode::OK, body).with(CACHE_CONTROL, "no-store").with(CONTENT_TYPE, "application/json")
}

/// The answer where no message has come in time.
fn nothing() -> Reply {
    Reply::empty(StatusCode::NO_CONTENT).with(CACHE_CONTROL, "no-store")
}

#[cfg(test)]
mod tests;
