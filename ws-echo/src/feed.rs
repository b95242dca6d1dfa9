//! `GET /feed`: messages as they come, each a text frame of JSON; and publishing over the same connection.

use std::future::ready;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serving::access::Access;
use serving::app::App;
use serving::client_address::ClientAddress;
use serving::connection::{Answer, Client, Event};
use serving::error::ApiError;
use serving::metrics::Delivery;
use serving::query::{Parameters, TICKET};
use serving::request::Request;
use shared::backplane::Publication;
use shared::cursor::{Cursor, Position};
use shared::hub::{BatchLimit, EncodedBatch, Subscriber};
use shared::message::Draft;
use shared::topic::TopicFilter;
use tokio::time::Instant;

use crate::close::Close;
use crate::frame::{self, ClientFrame, PublishFrame, ServerFrame};
use crate::session::{self, Conversation, Message};

/// The limit of one write. The next batch is read once the client has taken this one.
const BATCH: BatchLimit = BatchLimit { messages: 64, bytes: 64 * 1024 };

/// The longest that a byte of text can become in JSON, as `\u0000`.
const ESCAPED: usize = 6;

/// The number of bytes that a frame of a client may hold beside the text.
const ENVELOPE: usize = 4 * 1024;

/// The parameters of the route.
const PARAMETERS: Parameters = Parameters { repeated: &["topic"], single: &["since", "heartbeat", TICKET] };

/// Answers a request for the feed.
pub(crate) async fn open(app: Arc<App>, request: Request) -> Result<Answer, ApiError> {
    request.query.check(&PARAMETERS)?;
    let topics = request.query.topics()?;
    let since = request.query.since()?.unwrap_or(Position::Now);
    let shows_heartbeats = request.query.is_on("heartbeat")?;
    let access = request.access(&app).await?;
    let subscriber = app.subscribe(&topics, since, &access).await?;
    let limit = app.max_message_bytes() * ESCAPED + ENVELOPE;
    let feed = Feed::new(app, subscriber, shows_heartbeats, access.clone());
    session::open(&request, &access, limit, feed)
}

pub(crate) struct Feed {
    app: Arc<App>,
    subscriber: Subscriber,
    /// The last position that the client was given, by a message or otherwise.
    reported: Cursor,
    /// Heartbeats are frames too, which scripts can see.
    shows_heartbeats: bool,
    /// The client's rights.
    access: Access,
    /// The client's publication that is not confirmed yet, or its token that is not checked yet. Boxed, since most clients send neither.
    asked: Option<Box<Asked>>,
    /// The reason why it is this client's turn to go, once it has everything.
    parting: Option<Parting>,
}

/// Something that the client has asked for.
enum Asked {
    Waiting(BoxFuture<'static, Outcome>),
    Done(Outcome),
}

/// The outcome of what the client has asked for.
struct Outcome {
    /// The frame that answers it.
    frame: Vec<u8>,
    /// The rights that a token gives, in place of those before.
    access: Option<Access>,
}

/// The reason why a feed ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parting {
    /// The service is shutting down.
    Released,
    /// The client's token has expired.
    Expired,
}

impl Feed {
    fn new(app: Arc<App>, subscriber: Subscriber, shows_heartbeats: bool, access: Access) -> Self {
        let reported = subscriber.cursor();
        Self { app, subscriber, reported, shows_heartbeats, access, asked: None, parting: None }
    }

    /// Writes one batch of what waits. Returns whether more can be read now.
    fn deliver(&mut self, client: &mut Client) -> bool {
        let mut batch = self.subscriber.read_encoded(&frame::MESSAGE, BATCH);
        let delivery = Delivery::encoded(&mut batch);
        let EncodedBatch { gap, bytes, more, .. } = batch;
        let gap = gap.map(|gap| ServerFrame::Gap(&gap).encode()).unwrap_or_default();
        // An empty batch with more to come means that older messages are being fetched or searched.
        let is_empty = gap.is_empty() && bytes.is_empty();
        client.deliver([gap, bytes], &delivery);
        if !is_empty {
            self.reported = self.subscriber.cursor();
        }
        more && !is_empty
    }

    /// Begins to do what a client's message asks for.
    fn obey(&self, message: Message, address: Option<ClientAddress>) -> BoxFuture<'static, Outcome> {
        let parsed = match &message {
            Message::Text(text) => ClientFrame::parse(text),
            Message::Binary(_) => Err((None, ApiError::BadFrame("the frame is binary".to_owned()))),
        };
        let (app, access) = (Arc::clone(&self.app), self.access.clone());
        match parsed {
            Ok(ClientFrame::Publish(frame)) => async move {
                let key = frame.key.clone();
                match publish(&app, &access, address, frame).await {
                    Ok((id, repeated)) => {
                        let ack = ServerFrame::Ack { key: key.as_deref(), id, repeated };
                        Outcome { frame: ack.encode().into(), access: None }
                    }
                    Err(error) => Outcome::error(&app, key.as_deref(), &error),
                }
            }
            .boxed(),
            Ok(ClientFrame::Token { token }) => renew(app, access, self.subscriber.filters(), token).boxed(),
            Err((key, error)) => ready(Outcome::error(&app, key.as_deref(), &error)).boxed(),
        }
    }

    /// Makes an outcome count, and returns the frame that tells the client.
    fn settle(&mut self, Outcome { frame, access }: Outcome, client: &mut Client) -> Vec<u8> {
        if let Some(access) = access {
            client.renew_until(access.expires_at());
            self.access = access;
            self.parting = self.parting.filter(|parting| *parting != Parting::Expired || has_expired(client));
        }
        frame
    }

    /// Adds a heartbeat to `frames`, where scripts are to see it.
    fn put_heartbeat(&self, frames: &mut Vec<u8>, client: &Client) {
        if self.shows_heartbeats {
            let period = frame::seconds(client.app().config.connections.heartbeat);
            ServerFrame::Heartbeat { period }.put(frames);
        }
    }
}

impl Outcome {
    fn error(app: &App, key: Option<&str>, error: &ApiError) -> Self {
        app.count_error(error);
        let frame = ServerFrame::Error { key, error: error.code(), message: &error.to_string() };
        Self { frame: frame.encode().into(), access: None }
    }
}

impl Conversation for Feed {
    fn begin(&mut self, client: &mut Client) {
        let mut frames = Vec::new();
        ServerFrame::Welcome { cursor: self.reported }.put(&mut frames);
        self.put_heartbeat(&mut frames, client);
        client.write(&frames);
    }

    fn on_message(&mut self, message: Message, client: &mut Client, answers: &mut Vec<u8>) {
        let mut asked = self.obey(message, client.client_address());
        // If the history is in memory, the publication is confirmed at once.
        match asked.as_mut().now_or_never() {
            Some(outcome) => answers.append(&mut self.settle(outcome, client)),
            None => self.asked = Some(Box::new(Asked::Waiting(asked))),
        }
    }

    fn takes_messages(&self) -> bool {
        self.asked.is_none() && self.parting.is_none()
    }

    fn heartbeat(&mut self, client: &mut Client) {
        if self.asked.is_none() {
            self.deliver(client);
        }
        let reached = self.subscriber.cursor();
        let mut frames = Vec::new();
        if reached != self.reported {
            ServerFrame::Position { cursor: reached }.put(&mut frames);
            self.reported = reached;
        }
        self.put_heartbeat(&mut frames, client);
        client.write(&frames);
    }

    fn on(&mut self, event: Event, client: &mut Client) -> Option<Close> {
        match event {
            Event::Released => self.parting = Some(Parting::Released),
            Event::Expired if has_expired(client) => self.parting = Some(Parting::Expired),
            Event::Expiring => {
                warn_of_expiry(client);
                return None;
            }
            _ => {}
        }
        match self.asked.take().map(|asked| *asked) {
            // A message of the client's own comes after the frame that answers it.
            Some(asked @ Asked::Waiting(_)) => {
                self.asked = Some(Box::new(asked));
                return None;
            }
            Some(Asked::Done(outcome)) => {
                let frame = self.settle(outcome, client);
                client.write(&frame);
            }
            None => {}
        }
        let more = self.deliver(client);
        let parting = self.parting.filter(|_| !more && !self.subscriber.is_searching())?;
        Some(match parting {
            Parting::Released => Close::Restart,
            Parting::Expired => Close::Expired,
        })
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if let Some(asked) = &mut self.asked {
            if let Asked::Waiting(outcome) = &mut **asked {
                **asked = Asked::Done(ready!(outcome.as_mut().poll(cx)));
            }
            return Poll::Ready(Event::Done);
        }
        if self.parting.is_some() && !self.subscriber.is_searching() {
            return Poll::Ready(Event::News);
        }
        ready!(self.subscriber.poll_changed(cx));
        Poll::Ready(Event::News)
    }

    fn subscriber(&self) -> Option<&Subscriber> {
        Some(&self.subscriber)
    }
}

/// Returns whether the client's token has ended, and no other has come for it.
fn has_expired(client: &Client) -> bool {
    client.expires_at().is_some_and(|end| end <= Instant::now())
}

/// Tells the client that its token ends soon.
fn warn_of_expiry(client: &mut Client) {
    let left = client.expires_at().map_or(Duration::ZERO, |end| end.saturating_duration_since(Instant::now()));
    client.write(&ServerFrame::TokenExpiring { r#in: left.as_secs_f64().ceil() as u64 }.encode());
}

/// Checks a token that is to take the place of the one before, and answers it.
async fn renew(app: Arc<App>, access: Access, followed: Vec<TopicFilter>, token: String) -> Outcome {
    match app.renew(&token, &followed, &access).await {
        Ok(access) => {
            let exp = access.expires().map(frame::number);
            Outcome { frame: ServerFrame::Token { exp }.encode().into(), access: Some(access) }
        }
        Err(refusal) => Outcome::error(&app, None, &refusal.into()),
    }
}

/// Publishes one message. Returns its id, and `true` if it was there already.
async fn publish(
    app: &App,
    access: &Access,
    client: Option<ClientAddress>,
    frame: PublishFrame,
) -> Result<(Cursor, bool), ApiError> {
    let topic = frame.topic()?;
    let key = frame.key.as_deref().map(str::parse).transpose()?;
    let traceparent = frame.traceparent();
    let draft = Draft { text: frame.text.ok_or(ApiError::NoText)?, event: frame.event };
    let publication = Publication { traceparent, ..Publication::new(topic, vec![draft], key) };
    let receipt = app.publish(publication, access, client).await?;
    let placed = receipt.each().next().expect("one message was published, so it has a place");
    Ok((placed.id, placed.repeated))
}

#[cfg(test)]
mod tests;
