//! What a client sends, frame by frame (RFC 6455, section 5).
//!
//! Written here and not left to the protocol library, because the library keeps buffers for each connection: this holds
//! nothing while nothing is half read, and gives back what a large message needed.

use std::io::Cursor;

use bytes::{Buf, BytesMut};
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

use crate::close::Close;

/// The longest payload of a control frame.
const MAX_CONTROL: u64 = 125;

/// A whole message, or a control frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    /// With what is sent back: the client's code, if it gave one.
    Close(Option<CloseCode>),
}

/// Puts messages together from the bytes of a connection.
#[derive(Debug)]
pub(crate) struct Reader {
    max_message_bytes: usize,
    /// What has come of the next frames.
    unread: BytesMut,
    /// The message whose fragments have not all come.
    fragments: Option<(Data, Vec<u8>)>,
}

impl Reader {
    /// Messages may have `max_message_bytes`; `unread` has come already.
    pub(crate) fn new(max_message_bytes: usize, unread: BytesMut) -> Self {
        Self { max_message_bytes, unread, fragments: None }
    }

    /// Takes bytes in the order in which they came.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
    }

    /// Nothing has come that could be read.
    pub(crate) fn is_empty(&self) -> bool {
        self.unread.is_empty()
    }

    /// The next message or control frame that has come whole.
    ///
    /// # Errors
    /// When what has come is not the protocol, not UTF-8 or too large. Nothing after it can be read.
    pub(crate) fn next(&mut self) -> Result<Option<Incoming>, Close> {
        while let Some((header, payload)) = self.next_frame()? {
            let incoming = match header.opcode {
                OpCode::Control(control) => Some(control_frame(control, payload)?),
                OpCode::Data(kind) => self.data_frame(kind, header.is_final, payload)?,
            };
            if incoming.is_some() {
                return Ok(incoming);
            }
        }
        Ok(None)
    }

    /// A whole frame with its payload unmasked.
    fn next_frame(&mut self) -> Result<Option<(FrameHeader, Vec<u8>)>, Close> {
        let mut cursor = Cursor::new(&self.unread[..]);
        let parsed = FrameHeader::parse(&mut cursor).map_err(|error| Close::Protocol(error.to_string()))?;
        let Some((header, length)) = parsed else { return Ok(None) };
        let start = cursor.position() as usize;
        if start != header.len(length) {
            return Err(Close::Protocol("a length is not written in its shortest form".to_owned()));
        }
        let mask = self.check(&header, length)?;
        // Checked to be within the limit.
        let length = length as usize;
        if self.unread.len() - start < length {
            return Ok(None);
        }
        self.unread.advance(start);
        let mut payload = self.unread.split_to(length);
        if self.unread.is_empty() {
            self.unread = BytesMut::new();
        }
        unmask(&mut payload, mask);
        Ok(Some((header, payload.into())))
    }

    /// The mask of a frame that may come next.
    fn check(&self, header: &FrameHeader, length: u64) -> Result<[u8; 4], Close> {
        let wrong = |what: &str| Err(Close::Protocol(what.to_owned()));
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return wrong("a reserved bit is set, and no extension was agreed on");
        }
        let Some(mask) = header.mask else { return wrong("a client's frames have to be masked") };
        match header.opcode {
            OpCode::Control(_) if length > MAX_CONTROL => return wrong("a control frame is larger than 125 bytes"),
            OpCode::Control(_) if !header.is_final => return wrong("a control frame is fragmented"),
            OpCode::Control(_) => return Ok(mask),
            OpCode::Data(Data::Continue) if self.fragments.is_none() => return wrong("there is nothing to continue"),
            OpCode::Data(Data::Continue) => {}
            OpCode::Data(_) if self.fragments.is_some() => return wrong("a message begins within another"),
            OpCode::Data(_) => {}
        }
        let before = self.fragments.as_ref().map_or(0, |(_, message)| message.len());
        if length > (self.max_message_bytes - before) as u64 {
            return Err(Close::TooLarge(format!("a message is larger than {} bytes", self.max_message_bytes)));
        }
        Ok(mask)
    }

    fn data_frame(&mut self, kind: Data, last: bool, payload: Vec<u8>) -> Result<Option<Incoming>, Close> {
        let (kind, message) = match self.fragments.take() {
            None => (kind, payload),
            Some((kind, mut message)) => {
                message.extend_from_slice(&payload);
                (kind, message)
            }
        };
        if !last {
            self.fragments = Some((kind, message));
            return Ok(None);
        }
        Ok(Some(match kind {
            Data::Text => Incoming::Text(String::from_utf8(message).map_err(|_| Close::InvalidUtf8)?),
            _ => Incoming::Binary(message),
        }))
    }
}

fn control_frame(control: Control, payload: Vec<u8>) -> Result<Incoming, Close> {
    match control {
        Control::Ping => Ok(Incoming::Ping(payload)),
        Control::Pong => Ok(Incoming::Pong),
        // Section 5.5.1: a code of two bytes and a reason, or nothing.
        _ => match payload[..] {
            [] => Ok(Incoming::Close(None)),
            [high, low, ref reason @ ..] => {
                let code = CloseCode::from(u16::from_be_bytes([high, low]));
                if !code.is_allowed() {
                    return Err(Close::Protocol("no client may close with this code".to_owned()));
                }
                str::from_utf8(reason).map_err(|_| Close::InvalidUtf8)?;
                Ok(Incoming::Close(Some(code)))
            }
            [_] => Err(Close::Protocol("a close code has two bytes".to_owned())),
        },
    }
}

/// Section 5.3.
fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    for chunk in payload.chunks_mut(4) {
        for (byte, key) in chunk.iter_mut().zip(mask) {
            *byte ^= key;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1000;

    /// A client's frame.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        let mut frame = vec![first];
        match payload.len() {
            short @ ..126 => frame.push(0x80 | short as u8),
            long => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&(long as u16).to_be_bytes());
            }
        }
        frame.extend_from_slice(&mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
        frame
    }

    /// Reads bytes that come in pieces of a size.
    fn read(bytes: &[u8], piece: usize) -> Result<Vec<Incoming>, Close> {
        let mut reader = Reader::new(LIMIT, BytesMut::new());
        let mut read = Vec::new();
        for piece in bytes.chunks(piece) {
            reader.push(piece);
            while let Some(incoming) = reader.next()? {
                read.push(incoming);
            }
        }
        assert_eq!((reader.unread.len(), reader.unread.capacity()), (0, 0), "nothing is kept");
        Ok(read)
    }

    #[test]
    fn messages_are_the_same_however_the_bytes_come() {
        let long = "x".repeat(LIMIT);
        let bytes = [
            frame(0x81, "Hällo".as_bytes()),
            frame(0x01, &"ä".as_bytes()[..1]),
            frame(0x89, b"between"),
            frame(0x00, &"ä".as_bytes()[1..]),
            frame(0x80, b"!"),
            frame(0x82, &[0, 255]),
            frame(0x81, long.as_bytes()),
            frame(0x8a, b""),
            frame(0x81, b""),
            frame(0x88, &[0x03, 0xe8, b'b', b'y', b'e']),
        ];
        let expected = [
            Incoming::Text("Hällo".to_owned()),
            Incoming::Ping(b"between".to_vec()),
            Incoming::Text("ä!".to_owned()),
            Incoming::Binary(vec![0, 255]),
            Incoming::Text(long),
            Incoming::Pong,
            Incoming::Text(String::new()),
            Incoming::Close(Some(CloseCode::Normal)),
        ];
        let bytes = bytes.concat();
        for piece in [1, 2, 3, 7, 64, bytes.len()] {
            assert_eq!(read(&bytes, piece).unwrap(), expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn what_is_not_the_protocol_is_refused() {
        let unmasked = vec![0x81, 0x01, b'a'];
        for (wrong, what) in [
            (unmasked, "unmasked"),
            (frame(0xc1, b"a"), "reserved bit"),
            (frame(0x83, b"a"), "reserved opcode"),
            (frame(0x09, b"a"), "fragmented ping"),
            (frame(0x89, &[0; 126]), "long ping"),
            (frame(0x80, b"a"), "continuation of nothing"),
            ([frame(0x01, b"a"), frame(0x81, b"b")].concat(), "message within a message"),
            (vec![0x81, 0xfe, 0x00, 0x01, 0, 0, 0, 0, b'a'], "length in two bytes instead of one"),
            (vec![0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 126, 0, 0, 0, 0], "length in eight bytes instead of two"),
            (frame(0x88, &[3]), "half a close code"),
            (frame(0x88, &[0x03, 0xee]), "1006"),
        ] {
            assert!(matches!(read(&wrong, 1), Err(Close::Protocol(_))), "{what}");
        }
    }

    #[test]
    fn text_that_is_not_utf_8_is_refused() {
        for wrong in [frame(0x81, &[0xff]), [frame(0x01, b"\xc3"), frame(0x80, b"a")].concat()] {
            assert!(matches!(read(&wrong, 1), Err(Close::InvalidUtf8)));
        }
        assert!(matches!(read(&frame(0x88, &[0x03, 0xe8, 0xff]), 1), Err(Close::InvalidUtf8)));
    }

    #[test]
    fn the_limit_holds_for_a_message_in_fragments_too() {
        let fits = [frame(0x02, &[0; LIMIT - 1]), frame(0x80, &[0])].concat();
        assert_eq!(read(&fits, 100).unwrap(), [Incoming::Binary(vec![0; LIMIT])]);
        // Refused by what its header says, before it comes.
        let announced = &frame(0x82, &[0; LIMIT + 1])[..8];
        assert!(matches!(read(announced, 100), Err(Close::TooLarge(_))));
        let fragments = [frame(0x02, &[0; LIMIT]), frame(0x80, &[0])].concat();
        assert!(matches!(read(&fragments, 100), Err(Close::TooLarge(_))));
    }
}
