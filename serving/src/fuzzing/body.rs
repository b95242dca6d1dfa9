//! The body of a publication.

use serde_json::{Map, Value, json};
use shared::fuzzing::fields;
use shared::message::{Draft, EventName};

use crate::error::ApiError;
use crate::routes::Form;

/// The most messages in an array of the check.
const MAX_ARRAY: usize = 4;

/// Checks that a body holds the messages that serde_json finds in it, and no others. The bytes are the form, `json` or `text`, a
/// line end, and the body.
pub fn body(bytes: &[u8]) {
    let Some(at) = bytes.iter().position(|byte| *byte == b'\n') else { return };
    let (form, body) = (&bytes[..at], &bytes[at + 1..]);
    match form {
        b"json" => check_json(body),
        b"text" => check_text(body),
        _ => {}
    }
}

fn check_text(body: &[u8]) {
    let drafts = Form::Text.parse(body.to_vec(), MAX_ARRAY);
    match str::from_utf8(body) {
        Ok(text) if !text.is_empty() => assert_eq!(drafts.ok(), Some((vec![Draft::text(text)], false))),
        _ => assert!(drafts.is_err()),
    }
}

fn check_json(body: &[u8]) {
    let parsed = Form::Json.parse(body.to_vec(), MAX_ARRAY);
    let text = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    let value = serde_json::from_slice::<Value>(text);
    let expected = value.as_ref().ok().and_then(drafts);
    // A `Value` keeps the last of several fields that have one name.
    let is_repeated = value
        .as_ref()
        .is_ok_and(|value| str::from_utf8(text).is_ok_and(|text| fields(text) > fields(&value.to_string())));
    match parsed {
        Ok((drafts, many)) => {
            let texts: usize = drafts.iter().map(Draft::bytes).sum();
            assert!(drafts.len() <= MAX_ARRAY && texts <= body.len(), "a body has no more than its bytes");
            assert_eq!((Some((drafts, many)), is_repeated), (expected, false));
        }
        Err(error) => {
            if let Some((drafts, many)) = expected {
                assert!(is_repeated, "{error}");
                let again = Form::Json.parse(encoded(&drafts, many), MAX_ARRAY);
                assert_eq!(again.ok(), Some((drafts, many)));
            } else if value.is_ok_and(|value| is_too_long(&value)) && !is_repeated {
                assert!(matches!(error, ApiError::TooManyMessages { limit: MAX_ARRAY }), "{error}");
            }
        }
    }
}

/// Returns the messages in a body of JSON, and whether they are in an array.
fn drafts(body: &Value) -> Option<(Vec<Draft>, bool)> {
    let (elements, many) = match body {
        Value::Array(elements) if (1..=MAX_ARRAY).contains(&elements.len()) => (&elements[..], true),
        Value::Object(_) => (std::slice::from_ref(body), false),
        _ => return None,
    };
    Some((elements.iter().map(|element| draft(element.as_object()?)).collect::<Option<_>>()?, many))
}

/// Returns whether a body is an array of messages that has more of them than it may.
fn is_too_long(body: &Value) -> bool {
    let elements = body.as_array().filter(|elements| elements.len() > MAX_ARRAY);
    elements.is_some_and(|elements| elements.iter().all(|element| element.as_object().and_then(draft).is_some()))
}

fn draft(object: &Map<String, Value>) -> Option<Draft> {
    let event = match object.get("event") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(EventName::try_from(name.clone()).ok()?),
        Some(_) => return None,
    };
    let is_known = object.keys().all(|name| matches!(name.as_str(), "text" | "event"));
    let text = object.get("text")?.as_str().filter(|_| is_known)?;
    Some(Draft { text: text.into(), event })
}

/// Returns a body of JSON with these messages.
fn encoded(drafts: &[Draft], many: bool) -> Vec<u8> {
    let each: Vec<Value> = drafts.iter().map(|draft| json!({ "text": draft.text, "event": draft.event })).collect();
    let body = if many { Value::Array(each) } else { each[0].clone() };
    body.to_string().into_bytes()
}
