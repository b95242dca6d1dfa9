//! `GET /feed`: messages as they come, each a text frame of JSON; and publishing over the same connection.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serving::app::App;
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

/// The size of one write. More messages than this are read from the history only when these are on their way.
const BATCH: BatchLimit = BatchLimit { messages: 64, bytes: 64 * 1024 };

/// The longest that a byte of text can become in JSON, as `\u0000`.
const ESCAPED: usize = 6;

/// The number of bytes that a frame of a client may hold beside the text.
const ENVELOPE: usize = 4 * 1024;

/// The parameters of the route.
const PARAMETERS: Parameters = Parameters { repeated: &["topic"], single: &["since"] };

/// Answers a request for the feed.
pub(crate) async fn open(app: Arc<App>, request: Request) -> Result<Answer, ApiError> {
    request.query.check(&PARAMETERS)?;
    let topics = request.query.topics()?;
    let since = request.query.since()?.unwrap_or(Position::Now);
    let subscriber = app.subscribe(&topics, since).await?;
    let limit = app.max_message_bytes() * ESCAPED + ENVELOPE;
    session::open(&request, limit, Feed { app, subscriber, publishing: None, is_released: false })
}

pub(crate) struct Feed {
    app: Arc<App>,
    subscriber: Subscriber,
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
    /// Writes one batch of what waits. Returns whether there is more to be had at once.
    fn deliver(&mut self, client: &mut Client) -> bool {
        let EncodedBatch { gap, bytes, more } = self.subscriber.read_encoded(&frame::MESSAGE, BATCH);
        let gap = gap.map(|gap| ServerFrame::Gap(&gap).encode()).unwrap_or_default();
        // An empty batch with more to come means that older messages are being fetched.
        let more = more && !(gap.is_empty() && bytes.is_empty());
        client.write_shared([gap, bytes]);
        more
    }
}

impl Conversation for Feed {
    fn begin(&mut self, client: &mut Client) {
        client.write_shared([ServerFrame::Welcome { cursor: self.subscriber.cursor() }.encode()]);
    }

    fn on_message(&mut self, message: Message, answers: &mut Vec<u8>) {
        let mut answer = answer(Arc::clone(&self.app), message).boxed();
        // Where the history is in memory, the publication is confirmed at once.
        match answer.as_mut().now_or_never() {
            Some(mut frame) => answers.append(&mut frame),
            None => self.publishing = Some(Box::new(Publishing::Waiting(answer))),
        }
    }

    fn takes_messages(&self) -> bool {
        self.publishing.is_none() && !self.is_released
    }

    fn on(&mut self, event: Event, client: &mut Client) -> Option<Close> {
        if event == Event::Released {
            self.is_released = true;
        }
        if let Some(Publishing::Answered(frame)) = self.publishing.as_deref() {
            client.write(frame);
            self.publishing = None;
        }
        let more = self.deliver(client);
        (self.is_released && !more && self.publishing.is_none()).then_some(Close::Restart)
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if let Some(publishing) = &mut self.publishing
            && let Publishing::Waiting(answer) = &mut **publishing
            && let Poll::Ready(frame) = answer.as_mut().poll(cx)
        {
            **publishing = Publishing::Answered(frame);
        }
        if let Some(Publishing::Answered(_)) = self.publishing.as_deref() {
            return Poll::Ready(Event::Done);
        }
        if self.is_released && self.publishing.is_none() {
            return Poll::Ready(Event::News);
        }
        ready!(self.subscriber.poll_changed(cx));
        Poll::Ready(Event::News)
    }
}

/// Does what a client's message asks for, and returns the frame that says what came of it.
async fn answer(app: Arc<App>, message: Message) -> Vec<u8> {
    let parsed = match &message {
        Message::Text(text) => ClientFrame::parse(text),
        Message::Binary(_) => Err((None, ApiError::BadFrame("the frame is binary".to_owned()))),
    };
    let (key, published) = match parsed {
        Ok(ClientFrame::Publish { topic, text, event, key }) => {
            let published = publish(&app, topic.as_deref(), text, event, key.as_deref()).await;
            (key, published)
        }
        Err((key, error)) => (key, Err(error)),
    };
    let key = key.as_deref();
    let mut frame = Vec::new();
    match published {
        Ok(id) => ServerFrame::Ack { key, id }.put(&mut frame),
        Err(error) => {
            ServerFrame::Error { key, error: error.code(), message: &error.to_string() }.put(&mut frame);
        }
    }
    frame
}

async fn publish(
    app: &App,
    topic: Option<&str>,
    text: Option<Box<str>>,
    event: Option<EventName>,
    key: Option<&str>,
) -> Result<Cursor, ApiError> {
    let topic = frame::topic(topic)?;
    let key = key.map(str::parse).transpose()?;
    let draft = Draft { text: text.ok_or(ApiError::NoText)?, event };
    let receipt = app.publish(Publication { topic, drafts: vec![draft], key }).await?;
    let id = receipt.placement.each().next().map(|placed| placed.id);
    Ok(id.expect("one message was published, so it has a place"))
}
