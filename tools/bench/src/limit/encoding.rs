//! The encodings on the wire.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

pub(super) const STREAM: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\n:\n\n";

pub(super) const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

/// One message as a Server-Sent Event.
pub(super) fn event(number: u64, text: &str) -> Vec<u8> {
    let data: String = text.lines().map(|line| format!("data: {line}\n")).collect();
    format!("id: l-{number}\n{data}\n").into_bytes()
}

/// One message as an object of JSON.
pub(super) fn message(number: u64, text: &str) -> String {
    format!(r#"{{"type":"message","id":"l-{number}","text":{}}}"#, serde_json::Value::from(text))
}

/// A page of messages as an answer to a poll.
pub(super) fn page(messages: &str, cursor: u64) -> Vec<u8> {
    answer("200 OK", &format!(r#"{{"messages":[{messages}],"cursor":"l-{cursor}"}}"#))
}

/// The answer to a publisher.
pub(super) fn receipt(number: u64) -> Vec<u8> {
    answer("201 Created", &format!(r#"{{"id":"l-{number}"}}"#))
}

fn answer(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

/// The answer to a handshake (RFC 6455, section 4.2.2).
pub(super) fn switching(key: &str) -> Vec<u8> {
    let digest = Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
    let accept = STANDARD.encode(digest);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    .into_bytes()
}

/// Writes a frame as a server does, without a mask.
pub(super) fn frame(to: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    to.push(0x80 | opcode);
    match payload.len() {
        short @ 0..126 => to.push(short as u8),
        length => match u16::try_from(length) {
            Ok(length) => {
                to.push(126);
                to.extend(length.to_be_bytes());
            }
            Err(_) => {
                to.push(127);
                to.extend((length as u64).to_be_bytes());
            }
        },
    }
    to.extend(payload);
}

/// A frame from a client.
pub(super) struct ClientFrame<'a> {
    pub(super) opcode: u8,
    pub(super) payload: &'a mut [u8],
    pub(super) length: usize,
}

/// Reads a frame from a client and removes its mask. Returns `None` if it is not complete.
pub(super) fn client_frame(bytes: &mut [u8]) -> Option<ClientFrame<'_>> {
    let opcode = *bytes.first()? & 0x0f;
    let (length, head) = match *bytes.get(1)? & 0x7f {
        126 => (usize::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?)), 4),
        127 => (usize::try_from(u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?)).ok()?, 10),
        short => (usize::from(short), 2),
    };
    let mask: [u8; 4] = *bytes.get(head..)?.first_chunk()?;
    let length_of_all = head + 4 + length;
    let payload = bytes.get_mut(head + 4..length_of_all)?;
    let mut words = payload.chunks_exact_mut(4);
    for word in &mut words {
        word.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
    }
    words.into_remainder().iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
    Some(ClientFrame { opcode, payload, length: length_of_all })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_handshake_is_that_of_the_standard() {
        let answer = String::from_utf8(switching("dGhlIHNhbXBsZSBub25jZQ==")).unwrap();
        assert!(answer.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{answer}");
    }

    #[test]
    fn a_frame_from_a_client_is_read_once_it_is_whole() {
        for length in [0, 5, 126, 70_000] {
            let payload: Vec<u8> = (0..length).map(|index| index as u8).collect();
            let bytes = crate::load::frame(2, &payload);
            for cut in (0..bytes.len()).rev().take(20) {
                assert!(client_frame(&mut bytes[..cut].to_vec()).is_none());
            }
            let mut whole = bytes.clone();
            let frame = client_frame(&mut whole).unwrap();
            assert_eq!((frame.opcode, frame.length), (2, bytes.len()));
            assert_eq!(frame.payload, payload);
        }
    }

    #[test]
    fn a_text_of_several_lines_is_one_event() {
        assert_eq!(event(7, "a\nb"), b"id: l-7\ndata: a\ndata: b\n\n");
        assert_eq!(message(7, "\"a\""), r#"{"type":"message","id":"l-7","text":"\"a\""}"#);
    }
}
