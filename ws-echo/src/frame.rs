//! The frames of the feed, in and out.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Number;
use serving::error::ApiError;
use serving::json_object::Object;
use shared::cursor::Cursor;
use shared::gap::Gap;
use shared::hub::Format;
use shared::message::{EventName, Message};
use shared::topic::Topic;
use shared::traceparent::Traceparent;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

/// A frame of the service, as JSON: `{"type":"welcome","cursor":"…"}` and so on.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum ServerFrame<'a> {
    /// The first frame: the client's position.
    Welcome { cursor: Cursor },
    /// A message.
    Message(&'a Message),
    /// The position has moved on without a message.
    Position { cursor: Cursor },
    /// A heartbeat that scripts can see, with the interval in seconds.
    Heartbeat { period: Number },
    /// Messages are missing here.
    Gap(&'a Gap),
    /// The client's token ends in so many seconds.
    #[serde(rename = "token_expiring")]
    TokenExpiring { r#in: u64 },
    /// A token was taken, in place of the one before, until a time in seconds since the Unix epoch.
    Token { exp: Option<Number> },
    /// A publication was taken, or an earlier one under the same key was.
    Ack {
        key: Option<&'a str>,
        id: Cursor,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        repeated: bool,
    },
    /// A publication, or whatever the client sent, was not taken.
    Error { key: Option<&'a str>, error: &'a str, message: &'a str },
}

impl ServerFrame<'_> {
    /// The frame as it is sent, in the format that all clients share.
    pub(crate) fn encode(&self) -> Bytes {
        let mut frame = Vec::new();
        self.put(&mut frame);
        frame.into()
    }

    /// Adds the frame to `into`.
    pub(crate) fn put(&self, into: &mut Vec<u8>) {
        let json = serde_json::to_vec(self).expect("a frame of the service is always valid JSON");
        put(into, OpCode::Data(Data::Text), &[&json]);
    }
}

/// Returns the seconds of a duration: a whole number where it is one.
pub(crate) fn seconds(duration: Duration) -> Number {
    number(duration.as_secs_f64())
}

/// Returns a number as JSON has it: a whole one without a fraction.
pub(crate) fn number(number: f64) -> Number {
    let fraction = Number::from_f64(number).filter(|_| number.fract() != 0.0);
    fraction.unwrap_or_else(|| Number::from(number as i64))
}

/// Adds a frame to `into`, whose payload is in parts. A server's frames are not masked (RFC 6455, section 5.1), so that all
/// clients can be sent the same bytes.
pub(crate) fn put(into: &mut Vec<u8>, opcode: OpCode, payload: &[&[u8]]) {
    let length = payload.iter().map(|part| part.len()).sum::<usize>() as u64;
    let header = FrameHeader { opcode, ..FrameHeader::default() };
    into.reserve(header.len(length) + length as usize);
    header.format(length, into).expect("writing to memory does not fail");
    payload.iter().for_each(|part| into.extend_from_slice(part));
}

/// The format of the feed: each message is a text frame of JSON.
pub(crate) static MESSAGE: Format = Format::new(|message| ServerFrame::Message(message).encode());

/// A frame of a client.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum ClientFrame {
    /// `{"type":"token","token"}`
    Token {
        token: String,
    },
    Publish(PublishFrame),
}

/// `{"type":"publish","topic"?,"text","event"?,"key"?,"traceparent"?}`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PublishFrame {
    pub(crate) topic: Option<String>,
    pub(crate) text: Option<Box<str>>,
    pub(crate) event: Option<EventName>,
    pub(crate) key: Option<String>,
    traceparent: Option<String>,
}

impl PublishFrame {
    /// The operation that sent the frame. One that is not valid counts as none, as it does in a header.
    pub(crate) fn traceparent(&self) -> Option<Traceparent> {
        self.traceparent.as_deref()?.parse().ok()
    }

    /// The topic that the frame names.
    pub(crate) fn topic(&self) -> Result<Topic, ApiError> {
        self.topic.as_deref().map_or_else(|| Ok(Topic::default()), |name| Ok(name.parse()?))
    }
}

/// The key of an invalid frame, sent back so that the client knows which of its frames failed.
#[derive(Debug, Deserialize)]
struct Keyed {
    key: Option<String>,
}

impl ClientFrame {
    /// Parses a text frame. An error comes with the frame's key, as far as it has one.
    pub(crate) fn parse(text: &str) -> Result<Self, (Option<String>, ApiError)> {
        // A byte order mark may be passed over (RFC 8259, section 8.1).
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        serde_json::from_str(text).map(|Object(frame)| frame).map_err(|error| {
            let key = serde_json::from_str(text).ok().and_then(|Object(keyed): Object<Keyed>| keyed.key);
            (key, ApiError::BadFrame(error.to_string()))
        })
    }
}
