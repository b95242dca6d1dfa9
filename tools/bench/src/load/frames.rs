//! WebSocket frames (RFC 6455, section 5.2), as far as a client that measures needs them.

use anyhow::bail;

/// The longest head of a frame from a server: two bytes and a length of eight.
const HEAD: usize = 10;

/// The content of a frame from a server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// A part of a message, and whether it is the last part.
    Data(&'a [u8], bool),
    /// A ping, which has to be answered.
    Ping(&'a [u8]),
    /// A close, with its code.
    Close(u16),
}

/// Reads frames from a stream that comes in pieces.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frames {
    head: [u8; HEAD],
    head_length: usize,
    /// The number of bytes of the payload that are still to come. `None`: the next byte belongs to a head.
    left: Option<u64>,
    /// The payload of a control frame that is not complete.
    control: Vec<u8>,
}

impl Frames {
    pub(crate) fn feed(
        &mut self,
        mut bytes: &[u8],
        mut piece: impl FnMut(Piece<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        loop {
            let left = match self.left {
                Some(left) => left,
                None => match self.take_head(&mut bytes)? {
                    Some(length) => length,
                    None => return Ok(()),
                },
            };
            let length = bytes.len().min(usize::try_from(left)?);
            let payload = &bytes[..length];
            bytes = &bytes[length..];
            let whole = length as u64 == left;
            self.left = if whole { None } else { Some(left - length as u64) };
            let (end, opcode) = (self.head[0] & 0x80 != 0, self.head[0] & 0x0f);
            match opcode {
                0..=2 => piece(Piece::Data(payload, whole && end))?,
                8..=10 => {
                    self.control.extend_from_slice(payload);
                    if whole {
                        let payload = std::mem::take(&mut self.control);
                        match opcode {
                            8 => {
                                let code = payload.first_chunk().map_or(1005, |&code| u16::from_be_bytes(code));
                                piece(Piece::Close(code))?;
                            }
                            9 => piece(Piece::Ping(&payload))?,
                            _ => {}
                        }
                    }
                }
                _ => bail!("a frame with an unknown opcode ({opcode})"),
            }
            if !whole {
                return Ok(());
            }
        }
    }

    /// Reads a head, or as much of it as there is. Returns the length of the payload.
    fn take_head(&mut self, bytes: &mut &[u8]) -> anyhow::Result<Option<u64>> {
        loop {
            let needed = match (self.head_length, self.head[1] & 0x7f) {
                (0..2, _) => 2,
                (_, 126) => 4,
                (_, 127) => 10,
                _ => 2,
            };
            if self.head_length == needed {
                break;
            }
            let more = (needed - self.head_length).min(bytes.len());
            if more == 0 {
                return Ok(None);
            }
            self.head[self.head_length..self.head_length + more].copy_from_slice(&bytes[..more]);
            self.head_length += more;
            *bytes = &bytes[more..];
        }
        self.head_length = 0;
        if self.head[1] & 0x80 != 0 {
            bail!("a frame from the server is masked");
        }
        let big = |bytes: &[u8]| bytes.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
        Ok(Some(match self.head[1] {
            126 => big(&self.head[2..4]),
            127 => big(&self.head[2..10]),
            short => short.into(),
        }))
    }
}

/// The mask of frames that are sent here. It protects proxies from scripts, and there are neither.
pub(crate) const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A masked frame.
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        short @ 0..126 => frame.push(0x80 | short as u8),
        length => match u16::try_from(length) {
            Ok(length) => {
                frame.push(0x80 | 126);
                frame.extend(length.to_be_bytes());
            }
            Err(_) => {
                frame.push(0x80 | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        },
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// The request for a WebSocket. Clients here do not check the server's answer to the key, so one key serves all.
/// `headers` are further lines.
pub(crate) fn handshake(path: &str, headers: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\n{headers}Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: bWVhc3VyaW5nIHB1c2ggIQ==\r\n\r\n"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Short, 16-bit and 64-bit lengths, a fragmented message with a ping within, and a close.
    fn stream() -> Vec<u8> {
        let mut stream = vec![0x81, 3, b'a', b'b', b'c'];
        stream.extend([0x81, 126, 1, 0]);
        stream.extend([b'x'; 256]);
        stream.extend([0x81, 127, 0, 0, 0, 0, 0, 0, 0, 2, b'y', b'y']);
        stream.extend([0x01, 1, b'd', 0x89, 2, b'h', b'i', 0x80, 1, b'e']);
        stream.extend([0x82, 0, 0x88, 2, 0x03, 0xf4]);
        stream
    }

    #[test]
    fn frames_are_read_wherever_the_stream_is_split() {
        let stream = stream();
        for cut in 0..=stream.len() {
            let (mut messages, mut message, mut others) = (Vec::new(), Vec::new(), Vec::new());
            let mut frames = Frames::default();
            for part in [&stream[..cut], &stream[cut..]] {
                frames
                    .feed(part, |piece| {
                        match piece {
                            Piece::Data(data, end) => {
                                message.extend_from_slice(data);
                                if end {
                                    messages.push(std::mem::take(&mut message).len());
                                }
                            }
                            Piece::Ping(payload) => others.push(payload.to_vec()),
                            Piece::Close(code) => others.push(code.to_string().into_bytes()),
                        }
                        Ok(())
                    })
                    .unwrap();
            }
            assert_eq!(messages, [3, 256, 2, 2, 0], "{cut}");
            assert_eq!(others, [b"hi".to_vec(), b"1012".to_vec()], "{cut}");
        }
    }

    #[test]
    fn frames_that_are_sent_can_be_read_once_unmasked() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let payload: Vec<u8> = (0..length).map(|index| index as u8).collect();
            let mut bytes = frame(1, &payload);
            let head = bytes.len() - length - 4;
            bytes[1] &= 0x7f;
            let mask: Vec<u8> = bytes.drain(head..head + 4).collect();
            bytes[head..].iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
            let mut read = Vec::new();
            let feed = Frames::default().feed(&bytes, |piece| {
                if let Piece::Data(data, _) = piece {
                    read.extend_from_slice(data);
                }
                Ok(())
            });
            feed.unwrap();
            assert_eq!(read, payload);
        }
    }

    #[test]
    fn a_masked_frame_from_a_server_is_refused() {
        assert!(Frames::default().feed(&frame(1, b"abc"), |_| Ok(())).is_err());
    }
}
