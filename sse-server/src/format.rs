//! The wire formats of a stream (WHATWG HTML, section 9.2.6).
//!
//! Each message is encoded once per format, at first need, and the bytes are shared by all clients of that format.

use bytes::Bytes;
use shared::cursor::Cursor;
use shared::gap::Gap;
use shared::hub::Format;
use shared::message::Message;

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

/// Encodes a gap as an event named `gap`.
pub(crate) fn gap(gap: &Gap) -> Bytes {
    let json = serde_json::to_string(gap).expect("a gap is always valid JSON");
    format!("id: {}\nevent: gap\ndata: {json}\n\n", gap.cursor).into()
}

/// The wait before a client connects again, at random within this range, in milliseconds.
const RETRY_MILLIS: std::ops::Range<u32> = 1_000..3_000;

/// Asks the client to wait before it connects again.
pub(crate) fn retry() -> String {
    format!("retry: {}\n", fastrand::u32(RETRY_MILLIS))
}

/// Gives the client a position before its first message. An event without data is not dispatched, but its `id` counts.
pub(crate) fn priming_event(cursor: Cursor) -> String {
    format!("{}id: {cursor}\n\n", retry())
}

/// A heartbeat, with the position if it has moved on without a message for this client.
pub(crate) fn heartbeat(reached: Cursor, reported: Cursor) -> Bytes {
    if reached == reported { Bytes::from_static(b":\n\n") } else { format!(":\nid: {reached}\n\n").into() }
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
}
