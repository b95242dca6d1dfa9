//! What is said on the feed, as WebSocket frames.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serving::http::ApiError;
use shared::cursor::Cursor;
use shared::gap::Gap;
use shared::hub::Format;
use shared::message::{EventName, Message};
use shared::topic::Topic;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

/// What the service says, as JSON: `{"type":"welcome","cursor":"…"}` and so on.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Told<'a> {
    /// First of all: the client's position.
    Welcome { cursor: Cursor },
    /// A message.
    Message(&'a Message),
    /// Messages are missing here.
    Gap(&'a Gap),
    /// A publication was taken.
    Ack { key: Option<&'a str>, id: Cursor },
    /// A publication, or whatever the client sent, was not taken.
    Error { key: Option<&'a str>, error: &'a str, message: &'a str },
}

impl Told<'_> {
    pub(crate) fn json(&self) -> String {
        serde_json::to_string(self).expect("what the service says is always valid JSON")
    }

    /// As a whole frame.
    pub(crate) fn frame(&self) -> Bytes {
        let mut frame = Vec::new();
        put(&mut frame, OpCode::Data(Data::Text), &[self.json().as_bytes()]);
        frame.into()
    }
}

/// Adds a frame to `into`, its payload in parts. A server's frames are not masked (RFC 6455, section 5.1), so that all
/// clients can be sent the same bytes.
pub(crate) fn put(into: &mut Vec<u8>, opcode: OpCode, payload: &[&[u8]]) {
    let length = payload.iter().map(|part| part.len()).sum::<usize>() as u64;
    let header = FrameHeader { opcode, ..FrameHeader::default() };
    into.reserve(header.len(length) + length as usize);
    header.format(length, into).expect("writing to memory does not fail");
    payload.iter().for_each(|part| into.extend_from_slice(part));
}

/// The format of the feed: each message is a text frame of JSON.
pub(crate) static MESSAGE: Format = Format::new(|message| Told::Message(message).frame());

/// What a client may say.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Said {
    /// `{"type":"publish","topic"?,"text","event"?,"key"?}`
    Publish { topic: Option<String>, text: Option<Box<str>>, event: Option<EventName>, key: Option<String> },
}

/// The key of a frame that is wrong otherwise, so that the client knows which of its frames it was.
#[derive(Debug, Deserialize)]
struct Keyed {
    key: Option<String>,
}

impl Said {
    /// What a client says; or its key, as far as there is one, and what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, (Option<String>, ApiError)> {
        serde_json::from_str(text).map_err(|error| {
            let key = serde_json::from_str(text).ok().and_then(|keyed: Keyed| keyed.key);
            (key, ApiError::BadFrame(error.to_string()))
        })
    }
}

/// The topic that a publication names.
pub(crate) fn topic(name: Option<&str>) -> Result<Topic, ApiError> {
    name.map_or_else(|| Ok(Topic::default()), |name| Ok(name.parse()?))
}
