//! The wire formats of a stream (WHATWG HTML, section 9.2.6).
//!
//! Each message is encoded once per format, at first need, and the bytes are shared by all clients of that format.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use serving::error::ApiError;
use shared::cursor::Cursor;
use shared::gap::Gap;
use shared::hub::Format;
use shared::message::Message;
use warp::http::Version;

/// A message as an event: its cursor as `id`, its `event` where it has one, and a `data` line for each line of its text.
pub static TEXT: Format = Format::new(|message| text(message).into());

/// [`TEXT`], as one chunk of the chunked transfer coding (RFC 9112, section 7.1).
pub static TEXT_CHUNK: Format = Format::new(|message| chunk(&text(message)));

/// A message as an unnamed event whose `data` is the whole message as one line of JSON.
pub static JSON: Format = Format::new(|message| json(message).into());

/// [`JSON`], as one chunk of the chunked transfer coding.
pub static JSON_CHUNK: Format = Format::new(|message| chunk(&json(message)));

fn text(message: &Message) -> Vec<u8> {
    let mut event = format!("id: {}\n", message.id);
    if let Some(name) = &message.event {
        event.push_str("event: ");
        event.push_str(name.as_str());
        event.push('\n');
    }
    // All three line ends would end a field, and the client joins the lines by \n again.
    for line in message.text.replace("\r\n", "\n").split(['\n', '\r']) {
        event.push_str("data: ");
        event.push_str(line);
        event.push('\n');
    }
    event.push('\n');
    event.into()
}

fn json(message: &Message) -> Vec<u8> {
    let mut event = format!("id: {}\ndata: ", message.id).into_bytes();
    event.extend_from_slice(&message.to_json());
    event.extend_from_slice(b"\n\n");
    event
}

fn chunk(bytes: &[u8]) -> Bytes {
    let size = format!("{:x}\r\n", bytes.len());
    [size.as_bytes(), bytes, b"\r\n"].concat().into()
}

/// The chunk that ends a body, which has no trailers.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The form in which one client receives the stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StreamFormat {
    /// The format of its messages.
    pub(crate) messages: &'static Format,
    is_chunked: bool,
}

impl StreamFormat {
    /// Returns the form for a client of this HTTP version, with whole messages as JSON or with their texts. HTTP/1.0 has no
    /// chunks.
    pub(crate) fn new(version: Version, json: bool) -> Self {
        let is_chunked = version == Version::HTTP_11;
        let messages = match (json, is_chunked) {
            (false, false) => &TEXT,
            (false, true) => &TEXT_CHUNK,
            (true, false) => &JSON,
            (true, true) => &JSON_CHUNK,
        };
        Self { messages, is_chunked }
    }

    /// Encodes what is no message, such as a gap.
    pub(crate) fn encode(self, text: impl AsRef<[u8]>) -> Bytes {
        let text = text.as_ref();
        if self.is_chunked { chunk(text) } else { Bytes::copy_from_slice(text) }
    }

    /// The end of the stream, which follows the last event.
    pub(crate) fn end(self) -> Bytes {
        Bytes::from_static(if self.is_chunked { LAST_CHUNK } else { b"" })
    }
}

/// Reports a gap as an event named `gap`.
pub(crate) fn gap(gap: &Gap) -> String {
    let json = serde_json::to_string(gap).expect("a gap is always valid JSON");
    format!("id: {}\nevent: gap\ndata: {json}\n\n", gap.cursor)
}

/// The wait before a client connects again, at random within this range, in milliseconds.
const RETRY_MILLIS: Range<u32> = 1_000..3_000;

/// The same for a client that found the service full. There may be many of them, and a place becomes free only now and then.
const RETRY_WHEN_FULL_MILLIS: Range<u32> = 5_000..15_000;

/// Asks the client to wait before it connects again.
pub(crate) fn retry() -> String {
    retry_within(RETRY_MILLIS)
}

/// Tells the client that its token has expired, and to come back with another.
pub(crate) fn expired() -> String {
    format!("event: expired\ndata: {{\"reason\":\"token_expired\"}}\n{}\n", retry())
}

fn retry_within(millis: Range<u32>) -> String {
    format!("retry: {}\n", fastrand::u32(millis))
}

/// Gives the client a position before its first message. An event without data is not dispatched, but its `id` counts. With
/// `period`, the event is a heartbeat, which is dispatched.
pub(crate) fn priming_event(cursor: Cursor, period: Option<Duration>) -> String {
    format!("{}{}", retry(), position(cursor, period))
}

/// A heartbeat, with the position if it has moved on without a message for this client. With `period`, scripts can see it.
///
/// A comment has no empty line after it, which some clients take for an event. An `id` needs one: it counts from there on.
pub(crate) fn heartbeat(moved_to: Option<Cursor>, period: Option<Duration>) -> String {
    match (moved_to, period) {
        (None, None) => ":\n".to_owned(),
        (Some(cursor), None) => format!(":\n{}", position(cursor, None)),
        (Some(cursor), Some(_)) => position(cursor, period),
        (None, Some(period)) => heartbeat_event(period),
    }
}

fn position(cursor: Cursor, period: Option<Duration>) -> String {
    format!("id: {cursor}\n{}", period.map_or_else(|| "\n".to_owned(), heartbeat_event))
}

fn heartbeat_event(period: Duration) -> String {
    format!("event: heartbeat\ndata: {}\n\n", period.as_secs_f64())
}

/// Turns a client away without ending its attempts: an `EventSource` that is answered by a status other than 200 gives up.
pub(crate) fn turned_away(error: &ApiError) -> String {
    let reason = error.to_string().replace(['\n', '\r'], " ");
    let is_full = matches!(error, ApiError::Full | ApiError::TooManyPatterns { .. } | ApiError::TooManyTopics { .. });
    let retry = retry_within(if is_full { RETRY_WHEN_FULL_MILLIS } else { RETRY_MILLIS });
    format!(": {}: {reason}\n{retry}\n", error.code())
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::hub::Entry;
    use shared::message::EventName;
    use shared::timestamp::Timestamp;
    use shared::topic::Topic;

    fn encoded(format: &'static Format, text: &str, event: Option<&str>) -> String {
        let message = Message {
            id: "e-7".parse().unwrap(),
            topic: Topic::default(),
            text: text.into(),
            event: event.map(|name| EventName::try_from(name.to_owned()).unwrap()),
            at: Timestamp::from_millis(0),
            traceparent: None,
        };
        String::from_utf8(Entry::new(message).encoded(format).to_vec()).unwrap()
    }

    #[test]
    fn every_line_of_a_text_is_a_field() {
        assert_eq!(encoded(&TEXT, "hello", None), "id: e-7\ndata: hello\n\n");
        assert_eq!(encoded(&TEXT, "", None), "id: e-7\ndata: \n\n");
        assert_eq!(encoded(&TEXT, "a", Some("news")), "id: e-7\nevent: news\ndata: a\n\n");
        // None of these may end the event or begin a field of its own.
        assert_eq!(
            encoded(&TEXT, "a\nid: x\r\revent: y\r\n b", None),
            "id: e-7\ndata: a\ndata: id: x\ndata: \ndata: event: y\ndata:  b\n\n"
        );
    }

    #[test]
    fn json_is_one_line_of_an_unnamed_event() {
        let json = r#"{"id":"e-7","topic":"main","text":"a\nb","event":"news","at":"1970-01-01T00:00:00.000Z"}"#;
        assert_eq!(encoded(&JSON, "a\nb", Some("news")), format!("id: e-7\ndata: {json}\n\n"));
    }

    #[test]
    fn a_chunk_has_its_size_in_hexadecimal_and_is_closed_by_a_line_end() {
        let event = encoded(&TEXT, "hello, world", None);
        assert_eq!(event.len(), 0x1c);
        assert_eq!(encoded(&TEXT_CHUNK, "hello, world", None), format!("1c\r\n{event}\r\n"));
        let event = encoded(&JSON, "x", None);
        assert_eq!(encoded(&JSON_CHUNK, "x", None), format!("{:x}\r\n{event}\r\n", event.len()));
    }

    #[test]
    fn a_client_of_http_1_0_gets_no_chunks() {
        let [old, new] = [Version::HTTP_10, Version::HTTP_11].map(|version| StreamFormat::new(version, false));
        assert_eq!((old.encode(":\n"), new.encode(":\n")), (":\n".into(), "2\r\n:\n\r\n".into()));
        assert_eq!((old.end(), new.end()), ("".into(), "0\r\n\r\n".into()));
        for (version, json, messages) in [
            (Version::HTTP_10, false, &TEXT),
            (Version::HTTP_10, true, &JSON),
            (Version::HTTP_11, false, &TEXT_CHUNK),
            (Version::HTTP_11, true, &JSON_CHUNK),
        ] {
            assert!(std::ptr::eq(StreamFormat::new(version, json).messages, messages), "{version:?}, {json}");
        }
    }

    #[test]
    fn a_heartbeat_is_a_comment_or_an_event() {
        let (cursor, period) = ("e-7".parse().unwrap(), Some(Duration::from_secs(15)));
        assert_eq!(heartbeat(None, None), ":\n");
        assert_eq!(heartbeat(Some(cursor), None), ":\nid: e-7\n\n");
        assert_eq!(heartbeat(None, period), "event: heartbeat\ndata: 15\n\n");
        assert_eq!(heartbeat(Some(cursor), period), "id: e-7\nevent: heartbeat\ndata: 15\n\n");
        let half = Some(Duration::from_millis(500));
        assert_eq!(heartbeat(None, half), "event: heartbeat\ndata: 0.5\n\n");
    }

    #[test]
    fn a_client_that_is_turned_away_learns_the_reason_and_when_to_come_back() {
        for (error, seconds) in [
            (ApiError::Full, 5..15),
            (ApiError::Draining, 1..3),
            (ApiError::NotReady("not connected:\nno server\r\ndata: x".into()), 1..3),
        ] {
            let text = turned_away(&error);
            let lines: Vec<&str> = text.lines().collect();
            let [comment, retry, ""] = lines[..] else { panic!("{text:?}") };
            assert!(comment.starts_with(&format!(": {}: ", error.code())), "{comment}");
            let millis: u32 = retry.strip_prefix("retry: ").unwrap().parse().unwrap();
            assert!(seconds.contains(&(millis / 1000)), "{retry}");
        }
    }
}
