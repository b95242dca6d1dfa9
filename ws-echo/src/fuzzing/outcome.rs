//! The outcomes of our reader and tungstenite's for a stream, and the reasons for which they may differ.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};

use bytes::BytesMut;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket};

use crate::close::Close;
use crate::reader::{Incoming, Reader};

/// The longest header of a frame.
const MAX_HEADER: usize = 14;

/// The messages and control frames of a stream, and its end.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    received: Vec<Incoming>,
    end: End,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum End {
    /// More bytes may come.
    Open,
    /// The client closed the connection with this code.
    Closed(Option<CloseCode>),
    /// The client broke a rule; the connection is closed with this code.
    Failed(CloseCode),
    /// The connection is closed with 1002, because a length is not in its shortest form.
    LongLength,
}

/// The reasons for which our reader ends otherwise than tungstenite's (sections of RFC 6455).
#[derive(Debug, PartialEq)]
pub(crate) enum Difference {
    /// Section 5.2: "the minimal number of bytes MUST be used to encode the length". Ours refuses other forms with 1002;
    /// tungstenite's takes them.
    LengthForm,
    /// Section 7.1.7 asks for a failure without saying when. Ours refuses a frame for its header; tungstenite's waits for
    /// its payload, unless the length or the opcode alone is wrong.
    Earlier,
    /// Section 8.1, likewise. Ours decodes a text once it is whole; tungstenite's decodes each fragment when it comes, so
    /// the control frames after a bad fragment, and other errors there, are reported by ours alone.
    LaterUtf8,
    /// Section 7.4.1 has several codes for a frame that is wrong in several ways. Ours gives 1002 for a frame that breaks
    /// section 5 or 7.4, before it checks its size (1009) or its text (1007); tungstenite's begins with the size of the
    /// frame and the reason of a close.
    OtherCode,
    /// The IANA registry has 1014 (bad gateway) since after RFC 6455. Ours sends it back; tungstenite's refuses it with 1002.
    NewCode,
}

impl Difference {
    /// Returns the reason for which two outcomes of these pieces differ, or `None` if there is none.
    pub(crate) fn between(ours: &Outcome, theirs: &Outcome, pieces: &[Vec<u8>], limit: usize) -> Option<Self> {
        if theirs.end == End::Failed(CloseCode::Invalid) && ours.received.starts_with(&theirs.received) {
            let later = &ours.received[theirs.received.len()..];
            if later.is_empty() && ours.end == End::Failed(CloseCode::Protocol) {
                return Some(Self::OtherCode);
            }
            let only_control = later.iter().all(|later| matches!(later, Incoming::Ping(_) | Incoming::Pong));
            return only_control.then_some(Self::LaterUtf8);
        }
        if ours.end == End::LongLength && theirs.received.starts_with(&ours.received) {
            return Some(Self::LengthForm);
        }
        match (ours.end, theirs.end) {
            _ if ours.received != theirs.received => None,
            (End::Failed(_), End::Open) => {
                // Had the payload come, tungstenite's reader would have failed too.
                let padded = tungstenites(pieces.iter().cloned().chain([vec![0; limit]]), limit);
                if *ours == padded { Some(Self::Earlier) } else { Self::between(ours, &padded, &[], limit) }
            }
            (End::Closed(Some(CloseCode::Bad(1014))), End::Failed(CloseCode::Protocol)) => Some(Self::NewCode),
            (End::Failed(CloseCode::Protocol), End::Failed(CloseCode::Size)) => Some(Self::OtherCode),
            _ => None,
        }
    }
}

/// Reads pieces with our reader.
pub(crate) fn ours(pieces: &[Vec<u8>], limit: usize) -> Outcome {
    let mut reader = Reader::new(limit, BytesMut::new());
    let mut received = Vec::new();
    for piece in pieces {
        // Both ways to hand bytes to the reader have to be the same.
        let mut incoming = if piece.len() % 3 == 0 {
            reader.push(piece);
            reader.next()
        } else {
            reader.receive(piece)
        };
        loop {
            let end = match incoming {
                Ok(None) => break,
                Ok(Some(Incoming::Close(code))) => End::Closed(code),
                Ok(Some(message)) => {
                    received.push(message);
                    incoming = reader.next();
                    continue;
                }
                Err(Close::Protocol(reason)) if reason.contains("shortest form") => End::LongLength,
                Err(close) => {
                    let payload = close.payload();
                    End::Failed(CloseCode::from(u16::from_be_bytes([payload[0], payload[1]])))
                }
            };
            return Outcome { received, end };
        }
        assert!(reader.memory() <= most_memory(limit, piece.len()), "{} bytes are kept", reader.memory());
    }
    Outcome { received, end: End::Open }
}

/// Returns the most bytes that a reader may keep when nothing more can be read of what has come: a frame that is not whole
/// and the fragments before it, in buffers that double when they grow.
fn most_memory(limit: usize, piece: usize) -> usize {
    2 * (limit + MAX_HEADER + piece) + 2 * limit
}

/// Reads pieces with tungstenite's reader.
pub(crate) fn tungstenites(pieces: impl IntoIterator<Item = Vec<u8>>, limit: usize) -> Outcome {
    let config =
        WebSocketConfig::default().max_message_size(Some(limit)).max_frame_size(Some(limit)).read_buffer_size(4096);
    let stream = Pieces(pieces.into_iter().collect());
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, Some(config));
    let mut received = Vec::new();
    let end = loop {
        match socket.read() {
            Ok(Message::Text(text)) => received.push(Incoming::Text(text.as_str().to_owned())),
            Ok(Message::Binary(bytes)) => received.push(Incoming::Binary(bytes.into())),
            Ok(Message::Ping(payload)) => received.push(Incoming::Ping(payload.into())),
            Ok(Message::Pong(_)) => received.push(Incoming::Pong),
            Ok(Message::Close(None)) => break End::Closed(None),
            // In place of a code that may not be sent.
            Ok(Message::Close(Some(frame))) if frame.reason.as_str() == "Protocol violation" => {
                break End::Failed(frame.code);
            }
            Ok(Message::Close(Some(frame))) => break End::Closed(Some(frame.code)),
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => break End::Open,
            Err(Error::Protocol(_)) => break End::Failed(CloseCode::Protocol),
            Err(Error::Utf8(_)) => break End::Failed(CloseCode::Invalid),
            Err(Error::Capacity(_)) => break End::Failed(CloseCode::Size),
            other => panic!("{other:?}"),
        }
    };
    Outcome { received, end }
}

/// A connection on which these pieces are received, and nothing more.
struct Pieces(VecDeque<Vec<u8>>);

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(piece) = self.0.front_mut() else { return Err(ErrorKind::WouldBlock.into()) };
        let length = piece.len().min(buffer.len());
        buffer[..length].copy_from_slice(&piece[..length]);
        piece.drain(..length);
        if piece.is_empty() {
            self.0.pop_front();
        }
        Ok(length)
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
