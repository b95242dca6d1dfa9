//! Messages, and the drafts that publishers hand in.

use serde::{Deserialize, Serialize};

use crate::cursor::Cursor;
use crate::timestamp::Timestamp;
use crate::topic::Topic;
use crate::traceparent::Traceparent;

/// Event names that a client would mistake for something else: `gap` reports a gap over SSE, `heartbeat` is a heartbeat,
/// `expired` is kept free for reports to come, and an `EventSource` fires `open` and `error` itself.
const RESERVED_EVENTS: [&str; 5] = ["gap", "open", "error", "heartbeat", "expired"];

/// The longest event name, in bytes.
pub const MAX_EVENT_BYTES: usize = 128;

/// A message as it is held in a history and sent to clients.
///
/// As JSON: `{"id":"m3k9x2-42","topic":"main","text":"…","at":"2026-11-22T07:25:08.123Z"}`, with `"event"` where the
/// publisher gave one, and `"traceparent"` where its publication is part of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// The cursor of a client that has received everything up to this message and this message too.
    pub id: Cursor,
    /// The topic that it was published on.
    pub topic: Topic,
    /// The text that was published, unchanged.
    pub text: Box<str>,
    /// The name that the publisher gave to this kind of message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<EventName>,
    /// The time at which the backplane took it.
    pub at: Timestamp,
    /// The operation that published it. Boxed, since few messages are traced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<Box<Traceparent>>,
}

impl Message {
    /// Returns whether the message is part of a trace that is recorded.
    pub fn is_traced(&self) -> bool {
        self.traceparent.as_ref().is_some_and(|traceparent| traceparent.is_sampled())
    }

    /// The message as one JSON object.
    pub fn to_json(&self) -> Vec<u8> {
        // A struct of strings has no way to fail, so the error is not worth a type of its own.
        serde_json::to_vec(self).expect("a message is always valid JSON")
    }
}

/// A message as a publisher hands it in, without a place in a history.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Draft {
    /// Any UTF-8 string.
    pub text: Box<str>,
    /// A name for this kind of message.
    pub event: Option<EventName>,
}

impl Draft {
    /// A draft of text alone.
    pub fn text(text: impl Into<Box<str>>) -> Self {
        Self { text: text.into(), event: None }
    }

    /// The bytes of the text and of the event name, which `--max-message-bytes` limits.
    pub fn bytes(&self) -> usize {
        self.text.len() + self.event.as_ref().map_or(0, |event| event.as_str().len())
    }
}

/// The name of a kind of message: 1 to [`MAX_EVENT_BYTES`] bytes without control characters, and none that clients give
/// a meaning of their own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct EventName(Box<str>);

impl EventName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The error for a text that is no event name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "an event name has 1 to {MAX_EVENT_BYTES} bytes, no control characters, and is none of {}",
    RESERVED_EVENTS.join(", ")
)]
pub struct BadEventName;

impl TryFrom<String> for EventName {
    type Error = BadEventName;

    fn try_from(name: String) -> Result<Self, BadEventName> {
        let fits = (1..=MAX_EVENT_BYTES).contains(&name.len());
        if !fits || name.contains(char::is_control) || RESERVED_EVENTS.contains(&name.as_str()) {
            return Err(BadEventName);
        }
        Ok(Self(name.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_json_of_the_contract() {
        let mut message = Message {
            id: "m3k9x2-42".parse().unwrap(),
            topic: Topic::default(),
            text: "New \"message\"".into(),
            event: None,
            at: Timestamp::from_millis(1_795_332_308_123),
            traceparent: None,
        };
        assert_eq!(
            String::from_utf8(message.to_json()).unwrap(),
            r#"{"id":"m3k9x2-42","topic":"main","text":"New \"message\"","at":"2026-11-22T07:25:08.123Z"}"#
        );
        message.event = Some(EventName::try_from("news".to_owned()).unwrap());
        assert!(String::from_utf8(message.to_json()).unwrap().contains(r#""event":"news""#));
        let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        message.traceparent = Some(Box::new(traceparent.parse().unwrap()));
        assert!(
            String::from_utf8(message.to_json()).unwrap().ends_with(&format!(r#","traceparent":"{traceparent}"}}"#))
        );
    }

    #[test]
    fn an_event_name_that_would_break_a_client_is_refused() {
        for bad in
            ["", "gap", "open", "error", "heartbeat", "expired", "a\nb", "a\rb", &"x".repeat(MAX_EVENT_BYTES + 1)]
        {
            assert_eq!(EventName::try_from(bad.to_owned()), Err(BadEventName), "{bad:?}");
        }
        for good in ["message", "订单", &"x".repeat(MAX_EVENT_BYTES)] {
            assert_eq!(EventName::try_from(good.to_owned()).unwrap().as_str(), good);
        }
    }
}
