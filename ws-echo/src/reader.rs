//! Reads what a client sends: frames, and the messages that they carry (RFC 6455, section 5).
//!
//! Written here and not left to tungstenite, because tungstenite keeps buffers for each connection: a [`Reader`] owns
//! nothing while nothing is half read, and gives back what a large message needed.

use std::io::Cursor;

use bytes::{Buf, BytesMut};
use serving::app::BodyReservation;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

use crate::close::Close;

/// The memory that a client may use without a reservation, in bytes.
const LITTLE: usize = 4096;

/// The longest payload of a control frame.
const MAX_CONTROL: u64 = 125;

/// A whole message, or a control frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Incoming {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    /// The client's close code, if it gave one; it is sent back.
    Close(Option<CloseCode>),
}

/// Puts messages together from the bytes of a connection.
#[derive(Debug)]
pub(crate) struct Reader {
    max_message_bytes: usize,
    /// The frames that brought no message, since they were last forgotten.
    empty_frames: u32,
    /// Boxed, because most connections have nothing half read at most times.
    partial: Option<Box<Partial>>,
}

/// The bytes and the message that are half read.
#[derive(Debug, Default)]
struct Partial {
    /// The bytes of the next frames.
    unread: BytesMut,
    unfinished: Unfinished,
    /// The memory of a large message that has begun, which all clients share.
    reservation: Option<BodyReservation>,
}

/// The message whose last fragment is still to come.
#[derive(Debug, Default)]
struct Unfinished(Option<(Data, Vec<u8>)>);

/// A whole frame, by its place in the bytes that it was found in.
struct Frame {
    header: FrameHeader,
    mask: [u8; 4],
    /// The offset of the payload.
    payload: usize,
    /// The offset of the next frame.
    end: usize,
}

impl Reader {
    /// Makes a reader for messages of up to `max_message_bytes`. `unread` was received before.
    pub(crate) fn new(max_message_bytes: usize, unread: BytesMut) -> Self {
        let partial = (!unread.is_empty()).then(|| Box::new(Partial { unread, ..Partial::default() }));
        Self { max_message_bytes, empty_frames: 0, partial }
    }

    /// Takes bytes in the order in which they were received.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.partial.get_or_insert_default().unread.extend_from_slice(bytes);
        }
    }

    /// Does [`Reader::push`] and then [`Reader::next`], but reads frames in place: a message that came whole is copied
    /// once, and nothing else is allocated for it.
    ///
    /// # Errors
    /// As [`Reader::next`].
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Result<Option<Incoming>, Close> {
        if !self.is_empty() {
            self.push(bytes);
            return self.next();
        }
        let (mut unfinished, reservation) =
            self.partial.take().map(|partial| (partial.unfinished, partial.reservation)).unwrap_or_default();
        let (incoming, length) = unfinished.read(bytes, self.max_message_bytes, &mut self.empty_frames)?;
        if unfinished.0.is_some() {
            let partial = self.partial.get_or_insert_default();
            (partial.unfinished, partial.reservation) = (unfinished, reservation);
        }
        self.push(&bytes[length..]);
        Ok(incoming)
    }

    /// Returns whether no bytes wait to be read.
    pub(crate) fn is_empty(&self) -> bool {
        self.partial.as_ref().is_none_or(|partial| partial.unread.is_empty())
    }

    /// Returns the next message or control frame that was received whole.
    ///
    /// # Errors
    /// When the client breaks the protocol, sends text that is not UTF-8, or too large a message. Nothing after that can
    /// be read.
    pub(crate) fn next(&mut self) -> Result<Option<Incoming>, Close> {
        let Some(partial) = &mut self.partial else { return Ok(None) };
        let Partial { unread, unfinished, .. } = &mut **partial;
        let (incoming, length) = unfinished.read(unread, self.max_message_bytes, &mut self.empty_frames)?;
        if length < unread.len() {
            unread.advance(length);
        } else if unfinished.0.is_some() {
            *unread = BytesMut::new();
        } else {
            self.partial = None;
        }
        Ok(incoming)
    }

    /// Has the memory for what is half read reserved, unless it is little.
    ///
    /// # Errors
    /// When the memory that all clients share is used up.
    pub(crate) fn reserve(&mut self, begin: impl FnOnce() -> BodyReservation) -> Result<(), Close> {
        let Some(partial) = &mut self.partial else { return Ok(()) };
        let bytes = partial.memory();
        if bytes <= LITTLE {
            partial.reservation = None;
            return Ok(());
        }
        let reservation = partial.reservation.get_or_insert_with(begin);
        reservation.shrink_to(bytes);
        reservation.grow_to(bytes).map_err(|_| Close::NoMemory)
    }

    /// The number of frames that brought no message, since they were last forgotten: control frames, and parts of a message.
    pub(crate) fn empty_frames(&self) -> u32 {
        self.empty_frames
    }

    pub(crate) fn forget_empty_frames(&mut self) {
        self.empty_frames = 0;
    }

    /// Returns whether anything is half read, be it a byte, and memory kept for it.
    pub(crate) fn is_within_a_message(&self) -> bool {
        self.partial.is_some()
    }

    /// The memory of what is half read, in bytes.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn memory(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| partial.memory())
    }

    /// Returns whether fragments of a message have come, and others are to come.
    pub(crate) fn has_fragments(&self) -> bool {
        self.partial.as_ref().is_some_and(|partial| partial.unfinished.0.is_some())
    }
}

impl Partial {
    /// The memory of what is half read, in bytes.
    fn memory(&self) -> usize {
        let of_message = self.unfinished.0.as_ref().map_or(0, |(_, message)| message.capacity());
        self.unread.capacity() + of_message
    }
}

impl Unfinished {
    /// Reads frames up to the end of a message or control frame, and returns it with the length of all that was read.
    /// Counts the frames that bring no message.
    fn read(
        &mut self,
        bytes: &[u8],
        max_message_bytes: usize,
        empty_frames: &mut u32,
    ) -> Result<(Option<Incoming>, usize), Close> {
        let mut length = 0;
        while let Some(frame) = self.parse(&bytes[length..], max_message_bytes)? {
            let payload = &bytes[length + frame.payload..length + frame.end];
            length += frame.end;
            let incoming = match frame.header.opcode {
                OpCode::Control(control) => Some(control_frame(control, unmasked(payload, frame.mask))?),
                OpCode::Data(kind) => self.data_frame(kind, &frame, payload)?,
            };
            *empty_frames += u32::from(!matches!(incoming, Some(Incoming::Text(_) | Incoming::Binary(_))));
            if incoming.is_some() {
                return Ok((incoming, length));
            }
        }
        Ok((None, length))
    }

    /// Finds the frame that `bytes` begin with. `None` when it has not come whole.
    fn parse(&self, bytes: &[u8], max_message_bytes: usize) -> Result<Option<Frame>, Close> {
        let mut cursor = Cursor::new(bytes);
        let parsed = FrameHeader::parse(&mut cursor).map_err(|error| Close::Protocol(error.to_string()))?;
        let Some((header, length)) = parsed else { return Ok(None) };
        let payload = cursor.position() as usize;
        if payload != header.len(length) {
            return Err(Close::Protocol("a length is not in its shortest form".to_owned()));
        }
        let mask = self.check(&header, length, max_message_bytes)?;
        // `check` has compared the length with the limit.
        let end = payload + length as usize;
        Ok((end <= bytes.len()).then_some(Frame { header, mask, payload, end }))
    }

    /// Checks a frame that is announced by its header, and returns its mask.
    fn check(&self, header: &FrameHeader, length: u64, max_message_bytes: usize) -> Result<[u8; 4], Close> {
        let wrong = |reason: &str| Err(Close::Protocol(reason.to_owned()));
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return wrong("a reserved bit is set, and no extension was agreed on");
        }
        let Some(mask) = header.mask else { return wrong("a client's frames have to be masked") };
        match header.opcode {
            OpCode::Control(_) if length > MAX_CONTROL => return wrong("a control frame is larger than 125 bytes"),
            OpCode::Control(_) if !header.is_final => return wrong("a control frame is fragmented"),
            OpCode::Control(_) => return Ok(mask),
            OpCode::Data(Data::Continue) if self.0.is_none() => return wrong("there is nothing to continue"),
            OpCode::Data(Data::Continue) => {}
            OpCode::Data(_) if self.0.is_some() => return wrong("a message begins within another"),
            OpCode::Data(_) => {}
        }
        let before = self.0.as_ref().map_or(0, |(_, message)| message.len());
        if length > (max_message_bytes - before) as u64 {
            return Err(Close::TooLarge(format!("a message is larger than {max_message_bytes} bytes")));
        }
        Ok(mask)
    }

    fn data_frame(&mut self, kind: Data, frame: &Frame, payload: &[u8]) -> Result<Option<Incoming>, Close> {
        let message = match self.0.take() {
            None => (kind, unmasked(payload, frame.mask)),
            Some((kind, mut message)) => {
                let before = message.len();
                message.extend_from_slice(payload);
                unmask(&mut message[before..], frame.mask);
                (kind, message)
            }
        };
        if !frame.header.is_final {
            self.0 = Some(message);
            return Ok(None);
        }
        Ok(Some(match message {
            (Data::Text, text) => Incoming::Text(String::from_utf8(text).map_err(|_| Close::InvalidUtf8)?),
            (_, bytes) => Incoming::Binary(bytes),
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
                if !may_be_sent_by_a_client(code.into()) {
                    return Err(Close::Protocol("no client may close with this code".to_owned()));
                }
                str::from_utf8(reason).map_err(|_| Close::InvalidUtf8)?;
                Ok(Incoming::Close(Some(code)))
            }
            [_] => Err(Close::Protocol("a close code has two bytes".to_owned())),
        },
    }
}

/// Returns whether a client may close with a code: those in the IANA registry but for the ones that no frame may carry, and
/// the ranges for libraries and applications.
fn may_be_sent_by_a_client(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

fn unmasked(payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut payload = payload.to_vec();
    unmask(&mut payload, mask);
    payload
}

/// Section 5.3. Eight bytes at a time, which the compiler turns into vector instructions.
fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut chunks = payload.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let masked = u64::from_ne_bytes(chunk.try_into().expect("a chunk has eight bytes"));
        chunk.copy_from_slice(&(masked ^ wide).to_ne_bytes());
    }
    for (byte, key) in chunks.into_remainder().iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= key;
    }
}
