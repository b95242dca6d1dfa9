//! `GET /feed`: messages as they come, each a text frame of JSON; and publishing over the same connection.

use std::sync::Arc;

use serving::app::App;
use serving::http::{Answer, ApiError, Request};
use shared::backplane::Publication;
use shared::cursor::{Cursor, Position};
use shared::hub::{BatchLimit, EncodedBatch, Subscriber};
use shared::message::Draft;

use crate::close::Close;
use crate::frame::{self, Said, Told};
use crate::session::{self, Conversation, Message, Next, Session};

/// What is written at once: more messages than this are read from the history only when these are on their way.
const BATCH: BatchLimit = BatchLimit { messages: 64, bytes: 64 * 1024 };

/// The longest that a byte of text can become in JSON, as `\u0000`.
const ESCAPED: usize = 6;

/// What a frame of a client may hold beside the text.
const ENVELOPE: usize = 4 * 1024;

/// Answers a request for the feed.
pub(crate) async fn open(app: Arc<App>, request: Request) -> Result<Answer, ApiError> {
    let topics = request.query.topics()?;
    let since = request.query.since()?.unwrap_or(Position::Now);
    let subscriber = app.subscribe(&topics, since).await?;
    let limit = app.max_message_bytes() * ESCAPED + ENVELOPE;
    session::open(app, request, limit, Feed { subscriber }).await
}

struct Feed {
    subscriber: Subscriber,
}

impl Conversation for Feed {
    async fn run(self, session: &mut Session) -> Close {
        match run(session, self.subscriber).await {
            Ok(()) => Close::Restart,
            Err(close) => close,
        }
    }
}

/// Delivers and takes publications until the connection is released.
async fn run(session: &mut Session, mut subscriber: Subscriber) -> Result<(), Close> {
    session.send(&Told::Welcome { cursor: subscriber.cursor() }.json()).await?;
    loop {
        deliver(session, &mut subscriber).await?;
        // The client is listened to between two batches.
        match session.next(|cx| subscriber.poll_changed(cx)).await? {
            // Boxed, since most clients never publish.
            Next::Message(message) => Box::pin(answer(session, message)).await?,
            Next::News => {}
            Next::Released => break,
        }
    }
    while deliver(session, &mut subscriber).await? {}
    Ok(())
}

/// Writes a batch of what waits. Returns whether there is more to be had at once.
async fn deliver(session: &mut Session, subscriber: &mut Subscriber) -> Result<bool, Close> {
    let EncodedBatch { gap, bytes, more } = subscriber.read_encoded(&frame::MESSAGE, BATCH);
    let gap = gap.map(|gap| Told::Gap(&gap).frame()).unwrap_or_default();
    if gap.is_empty() && bytes.is_empty() {
        return Ok(false);
    }
    session.send_frames([&gap[..], &bytes]).await?;
    Ok(more)
}

/// Does what a client's message asks for, and says what came of it.
async fn answer(session: &mut Session, message: Message) -> Result<(), Close> {
    let said = match &message {
        Message::Text(text) => Said::parse(text),
        Message::Binary(_) => Err((None, ApiError::BadFrame("the frame is binary".to_owned()))),
    };
    let (key, published) = match said {
        Ok(Said::Publish { topic, text, event, key }) => {
            let published = publish(&session.app, topic.as_deref(), text, event, key.as_deref()).await;
            (key, published)
        }
        Err((key, error)) => (key, Err(error)),
    };
    let key = key.as_deref();
    let answer = match published {
        Ok(id) => Told::Ack { key, id }.json(),
        Err(error) => Told::Error { key, error: error.code(), message: &error.to_string() }.json(),
    };
    session.send(&answer).await
}

async fn publish(
    app: &App,
    topic: Option<&str>,
    text: Option<Box<str>>,
    event: Option<shared::message::EventName>,
    key: Option<&str>,
) -> Result<Cursor, ApiError> {
    let topic = frame::topic(topic)?;
    let key = key.map(str::parse).transpose()?;
    let draft = Draft { text: text.ok_or(ApiError::NoText)?, event };
    let receipt = app.publish(Publication { topic, drafts: vec![draft], key }).await?;
    let id = receipt.placement.each().next().map(|placed| placed.id);
    Ok(id.expect("one message was published, so it has a place"))
}
