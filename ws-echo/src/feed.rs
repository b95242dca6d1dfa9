//! `GET /feed`: messages as they come, each a text frame of JSON; and publishing over the same connection.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serving::app::App;
use serving::client_address::ClientAddress;
use serving::connection::{Answer, Client, Event};
use serving::error::ApiError;
use serving::query::Parameters;
use serving::request::Request;
use shared::backplane::Publication;
use shared::cursor::{Cursor, Position};
use shared::hub::{BatchLimit, EncodedBatch, Subscriber};
use shared::message::{Draft, EventName};

use crate::close::Close;
use crate::frame::{self, ClientFrame, ServerFrame};
use crate::session::{self, Conversation, Message};

/// The limit of one write. The next batch is read once the client has taken this one.
const BATCH: BatchLimit = BatchLimit { messages: 64, bytes: 64 * 1024 };

/// The longest that a byte of text can become in JSON, as `\u0000`.
const ESCAPED: usize = 6;

/// The number of bytes that a frame of a client may hold beside the text.
const ENVELOPE: usize = 4 * 1024;

/// The parameters of the route.
const PARAMETERS: Parameters = Parameters { repeated: &["topic"], single: &["since", "heartbeat"] };

/// Answers a request for the feed.
pub(crate) async fn open(app: Arc<App>, request: Request) -> Result<Answer, ApiError> {
    request.query.check(&PARAMETERS)?;
    let topics = request.query.topics()?;
    let since = request.query.since()?.unwrap_or(Position::Now);
    let shows_heartbeats = request.query.is_on("heartbeat")?;
    let subscriber = app.subscribe(&topics, since).await?;
    let limit = app.max_message_bytes() * ESCAPED + ENVELOPE;
    session::open(&request, limit, Feed::new(app, subscriber, shows_heartbeats, request.client()))
}

pub(crate) struct Feed {
    app: Arc<App>,
    subscriber: Subscriber,
    /// The last position that the client was given, by a message or otherwise.
    reported: Cursor,
    /// Heartbeats are frames too, which scripts can see.
    shows_heartbeats: bool,
    /// The client's address, if its publications are counted. Boxed, since mostly they are not.
    counted: Option<Box<ClientAddress>>,
    /// The client's publication that is not confirmed yet. Boxed, since most clients never publish.
    publishing: Option<Box<Publishing>>,
    /// The service is shutting down and it is this client's turn to go, once it has everything.
    is_released: bool,
}

/// A publication under way, and the frame that answers it.
enum Publishing {
    Waiting(BoxFuture<'static, Vec<u8>>),
    Answered(Vec<u8>),
}

impl Feed {
    fn new(app: Arc<App>, subscriber: Subscriber, shows_heartbeats: bool, counted: Option<ClientAddress>) -> Self {
        let reported = subscriber.cursor();
        let counted = counted.map(Box::new);
        Self { app, subscriber, reported, shows_heartbeats, counted, publishing: None, is_released: false }
    }

    /// Writes one batch of what waits. Returns whether more can be read now.
    fn deliver(&mut self, client: &mut Client) -> bool {
        let EncodedBatch { gap, bytes, more } = self.subscriber.read_encoded(&frame::MESSAGE, BATCH);
        let gap = gap.map(|gap| ServerFrame::Gap(&gap).encode()).unwrap_or_default();
        // An empty batch with more to come means that older messages are being fetched or searched.
        let is_empty = gap.is_empty() && bytes.is_empty();
        client.write_shared([gap, bytes]);
        if !is_empty {
            self.reported = self.subscriber.cursor();
        }
        more && !is_empty
    }

    /// Adds a heartbeat to `frames`, where scripts are to see it.
    fn put_heartbeat(&self, frames: &mut Vec<u8>, client: &Client) {
        if self.shows_heartbeats {
            let period = frame::seconds(client.app().config.connections.heartbeat);
            ServerFrame::Heartbeat { period }.put(frames);
        }
    }
}

impl Conversation for Feed {
    fn begin(&mut self, client: &mut Client) {
        let mut frames = Vec::new();
        ServerFrame::Welcome { cursor: self.reported }.put(&mut frames);
        self.put_heartbeat(&mut frames, client);
        client.write(&frames);
    }

    fn on_message(&mut self, message: Message, answers: &mut Vec<u8>) {
        let client = self.counted.as_deref().copied();
        let mut answer = answer(Arc::clone(&self.app), client, message).boxed();
        // If the history is in memory, the publication is confirmed at once.
        match answer.as_mut().now_or_never() {
            Some(mut frame) => answers.append(&mut frame),
            None => self.publishing = Some(Box::new(Publishing::Waiting(answer))),
        }
    }

    fn takes_messages(&self) -> bool {
        self.publishing.is_none() && !self.is_released
    }

    fn heartbeat(&mut self, client: &mut Client) {
        if self.publishing.is_none() {
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
        if event == Event::Released {
            self.is_released = true;
        }
        match self.publishing.as_deref() {
            // A message of the client's own comes after the frame that answers it.
            Some(Publishing::Waiting(_)) => return None,
            Some(Publishing::Answered(frame)) => client.write(frame),
            None => {}
        }
        self.publishing = None;
        let more = self.deliver(client);
        (self.is_released && !more && !self.subscriber.is_searching()).then_some(Close::Restart)
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if let Some(publishing) = &mut self.publishing {
            if let Publishing::Waiting(answer) = &mut **publishing {
                **publishing = Publishing::Answered(ready!(answer.as_mut().poll(cx)));
            }
            return Poll::Ready(Event::Done);
        }
        if self.is_released && !self.subscriber.is_searching() {
            return Poll::Ready(Event::News);
        }
        ready!(self.subscriber.poll_changed(cx));
        Poll::Ready(Event::News)
    }
}

/// Does what a client's message asks for, and returns the frame with the outcome.
async fn answer(app: Arc<App>, client: Option<ClientAddress>, message: Message) -> Vec<u8> {
    let parsed = match &message {
        Message::Text(text) => ClientFrame::parse(text),
        Message::Binary(_) => Err((None, ApiError::BadFrame("the frame is binary".to_owned()))),
    };
    let (key, published) = match parsed {
        Ok(ClientFrame::Publish { topic, text, event, key }) => {
            let published = publish(&app, client, topic.as_deref(), text, event, key.as_deref()).await;
            (key, published)
        }
        Err((key, error)) => (key, Err(error)),
    };
    let key = key.as_deref();
    let mut frame = Vec::new();
    match published {
        Ok((id, repeated)) => ServerFrame::Ack { key, id, repeated }.put(&mut frame),
        Err(error) => {
            ServerFrame::Error { key, error: error.code(), message: &error.to_string() }.put(&mut frame);
        }
    }
    frame
}

/// Publishes one message. Returns its id, and `true` if it was there already.
async fn publish(
    app: &App,
    client: Option<ClientAddress>,
    topic: Option<&str>,
    text: Option<Box<str>>,
    event: Option<EventName>,
    key: Option<&str>,
) -> Result<(Cursor, bool), ApiError> {
    let topic = frame::topic(topic)?;
    let key = key.map(str::parse).transpose()?;
    let draft = Draft { text: text.ok_or(ApiError::NoText)?, event };
    let receipt = app.publish(Publication { topic, drafts: vec![draft], key }, client).await?;
    let placed = receipt.each().next().expect("one message was published, so it has a place");
    Ok((placed.id, placed.repeated))
}

#[cfg(test)]
mod tests;
