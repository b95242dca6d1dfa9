//! The frames of the feed that a client sends.

use serde_json::{Map, Value};
use serving::error::ApiError;
use shared::fuzzing::fields;
use shared::message::EventName;
use shared::topic::Topic;

use crate::frame::ClientFrame;

/// A frame as serde_json's `Value` shows it.
#[derive(Debug, PartialEq)]
enum Expected {
    Token(String),
    Publish { topic: Option<String>, text: Option<String>, event: Option<String>, key: Option<String> },
}

/// Checks that a frame says what serde_json finds in it, and that an error carries the key of the frame and no other. The bytes are
/// the text of the frame.
pub fn client_frame(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let json = text.strip_prefix('\u{feff}').unwrap_or(text);
    let value = serde_json::from_str::<Value>(json).ok();
    // A `Value` keeps the last of several fields that have one name.
    let is_repeated = value.as_ref().is_some_and(|value| fields(json) > fields(&value.to_string()));
    let object = value.as_ref().and_then(Value::as_object);
    let expected = object.and_then(expected);
    match ClientFrame::parse(text) {
        Ok(frame) => {
            check_topic(&frame);
            assert_eq!((Some(seen(frame)), is_repeated), (expected, false));
        }
        Err((key, error)) => {
            assert!(matches!(error, ApiError::BadFrame(_)), "{error}");
            let given = object.and_then(|object| object.get("key")).and_then(Value::as_str);
            assert!(key.is_none() || key.as_deref() == given, "{key:?} is not {given:?}");
            assert!(expected.is_none() || is_repeated, "{error}");
            // Without the repeated names, the frame can be read.
            if let (Some(expected), Some(value)) = (expected, &value) {
                assert_eq!(ClientFrame::parse(&value.to_string()).ok().map(seen), Some(expected));
            } else if let Some(value) = &value {
                let again = ClientFrame::parse(&value.to_string()).err();
                assert_eq!(again.and_then(|(key, _)| key).as_deref(), given);
            }
        }
    }
}

fn check_topic(frame: &ClientFrame) {
    let ClientFrame::Publish(frame) = frame else { return };
    let topic = frame.topic.as_deref().unwrap_or("main").parse::<Topic>();
    assert_eq!(frame.topic().ok(), topic.ok());
}

fn seen(frame: ClientFrame) -> Expected {
    match frame {
        ClientFrame::Token { token } => Expected::Token(token),
        ClientFrame::Publish(frame) => Expected::Publish {
            topic: frame.topic,
            text: frame.text.map(String::from),
            event: frame.event.map(|event| event.as_str().to_owned()),
            key: frame.key,
        },
    }
}

fn expected(object: &Map<String, Value>) -> Option<Expected> {
    let has_only = |known: &[&str]| object.keys().all(|name| name == "type" || known.contains(&name.as_str()));
    match object.get("type")?.as_str()? {
        "token" if has_only(&["token"]) => Some(Expected::Token(object.get("token")?.as_str()?.to_owned())),
        "publish" if has_only(&["topic", "text", "event", "key"]) => Some(Expected::Publish {
            topic: optional(object, "topic")?,
            text: optional(object, "text")?,
            event: optional(object, "event")?
                .map(EventName::try_from)
                .transpose()
                .ok()?
                .map(|event| event.as_str().to_owned()),
            key: optional(object, "key")?,
        }),
        _ => None,
    }
}

/// Returns a text that may be missing, or `None` if something else is in its place.
fn optional(object: &Map<String, Value>, name: &str) -> Option<Option<String>> {
    match object.get(name) {
        None | Some(Value::Null) => Some(None),
        Some(value) => Some(Some(value.as_str()?.to_owned())),
    }
}
