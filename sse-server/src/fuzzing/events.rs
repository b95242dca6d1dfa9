//! The events of a stream.

use eventsource_stream::{Event, Eventsource};
use futures_util::{FutureExt, StreamExt, stream};
use serde_json::json;
use serving::error::ApiError;
use shared::cursor::{Cursor, Epoch};
use shared::gap::{Gap, GapReason};
use shared::hub::Entry;
use shared::message::{EventName, Message};
use shared::timestamp::Timestamp;
use shared::topic::Topic;

use crate::format::{self, JSON, JSON_CHUNK, TEXT, TEXT_CHUNK};

/// The byte between two messages of the check.
const SEPARATOR: char = '\x1e';

/// Checks that messages come out of a stream as they were put into it: by eventsource-stream and by httparse, whatever
/// their texts and event names. The bytes are messages with a separator between them, each the name of its event, a line end, and its text.
pub fn events(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let parts = text.split(SEPARATOR).zip(1..);
    let entries: Vec<Entry> = parts.filter_map(|(part, offset)| message(part, offset)).map(Entry::new).collect();
    let cursor = Cursor { epoch: Epoch::new(1), offset: 99 };
    let gap = Gap { reason: GapReason::Lagged, since: cursor, cursor };

    // The events that are no messages are put before the messages and between them.
    let mut stream = format::turned_away(&ApiError::NotReady(text.to_owned().into())).into_bytes();
    stream.extend(format::priming_event(cursor, None).into_bytes());
    let mut json_stream = stream.clone();
    for entry in &entries {
        stream.extend(entry.encoded(&TEXT));
        stream.extend(format::heartbeat(None, None).into_bytes());
        json_stream.extend(entry.encoded(&JSON));
        json_stream.extend(format::gap(&gap).into_bytes());
        assert_eq!(unchunked(&entry.encoded(&TEXT_CHUNK)), entry.encoded(&TEXT));
        assert_eq!(unchunked(&entry.encoded(&JSON_CHUNK)), entry.encoded(&JSON));
    }
    let piece = 1 + bytes.len() % 97;
    check_texts(&entries, &decoded(&stream, piece));
    check_json(&entries, &gap, &decoded(&json_stream, piece));
}

fn message(part: &str, offset: u64) -> Option<Message> {
    let (event, text) = part.split_once('\n')?;
    let event = (!event.is_empty()).then(|| EventName::try_from(event.to_owned())).transpose().ok()?;
    let id = Cursor { epoch: Epoch::new(1), offset };
    Some(Message {
        id,
        topic: Topic::default(),
        text: text.into(),
        event,
        at: Timestamp::from_millis(0),
        traceparent: None,
    })
}

/// Decodes a stream that comes in pieces.
fn decoded(stream: &[u8], piece: usize) -> Vec<Event> {
    let pieces = stream::iter(stream.chunks(piece).map(Ok::<_, std::convert::Infallible>));
    let events = pieces.eventsource().map(|event| event.expect("a stream is UTF-8")).collect().now_or_never();
    events.expect("everything is there to be read")
}

fn check_texts(entries: &[Entry], events: &[Event]) {
    assert_eq!(events.len(), entries.len(), "{events:?}");
    for (Entry { message, .. }, event) in entries.iter().zip(events) {
        let name = message.event.as_ref().map_or("message", EventName::as_str);
        let text = message.text.replace("\r\n", "\n").replace('\r', "\n");
        assert_eq!((&event.id, event.event.as_str(), &event.data), (&message.id.to_string(), name, &text));
    }
}

fn check_json(entries: &[Entry], gap: &Gap, events: &[Event]) {
    assert_eq!(events.len(), 2 * entries.len(), "{events:?}");
    let value = |event: &Event| serde_json::from_str::<serde_json::Value>(&event.data).expect("the data is JSON");
    for (Entry { message, .. }, pair) in entries.iter().zip(events.chunks(2)) {
        let mut expected = json!({ "id": message.id, "topic": "main", "text": message.text, "at": message.at });
        if let Some(event) = &message.event {
            expected["event"] = json!(event.as_str());
        }
        assert_eq!((pair[0].event.as_str(), value(&pair[0])), ("message", expected));
        assert_eq!(
            (pair[1].event.as_str(), &pair[1].id, value(&pair[1])),
            ("gap", &gap.cursor.to_string(), json!(gap))
        );
    }
}

/// Returns the content of a chunk, which has to be all of `bytes`.
fn unchunked(bytes: &[u8]) -> &[u8] {
    let Ok(httparse::Status::Complete((start, length))) = httparse::parse_chunk_size(bytes) else {
        panic!("no chunk begins here");
    };
    let (content, end) = bytes[start..].split_at(usize::try_from(length).expect("it is in memory"));
    assert_eq!(end, b"\r\n");
    content
}
