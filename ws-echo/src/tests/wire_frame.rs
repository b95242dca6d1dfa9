//! A frame as a client may send it, and as none may.

pub(super) const CONTINUATION: u8 = 0x0;
pub(super) const TEXT: u8 = 0x1;
pub(super) const BINARY: u8 = 0x2;
pub(super) const CLOSE: u8 = 0x8;
pub(super) const PING: u8 = 0x9;
pub(super) const PONG: u8 = 0xA;
/// The flag of the last frame of a message.
pub(super) const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// The key of the examples in RFC 6455, section 5.7.
pub(super) const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The form in which a frame gives the length of its payload (RFC 6455, section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LengthForm {
    /// The only one that is allowed.
    Shortest,
    TwoBytes,
    EightBytes,
}

#[derive(Debug, Clone)]
pub(super) struct WireFrame {
    /// The opcode and the flags beside it.
    pub(super) first: u8,
    pub(super) key: Option<[u8; 4]>,
    pub(super) payload: Vec<u8>,
    pub(super) form: LengthForm,
    /// The difference between the length that the frame announces and the one that it has.
    pub(super) excess: i64,
}

impl WireFrame {
    pub(super) fn new(first: u8, payload: &[u8]) -> Self {
        Self { first, key: Some(KEY), payload: payload.to_vec(), form: LengthForm::Shortest, excess: 0 }
    }

    /// Writes the frame as it goes over the wire.
    pub(super) fn write(&self, wire: &mut Vec<u8>) {
        let length = (self.payload.len() as i64 + self.excess).max(0) as u64;
        let masked = if self.key.is_some() { MASKED } else { 0 };
        wire.push(self.first);
        match (self.form, length) {
            (LengthForm::Shortest, 0..126) => wire.push(masked | length as u8),
            (LengthForm::Shortest, 126..0x1_0000) | (LengthForm::TwoBytes, _) => {
                wire.push(masked | 126);
                wire.extend((length as u16).to_be_bytes());
            }
            (LengthForm::Shortest | LengthForm::EightBytes, _) => {
                wire.push(masked | 127);
                wire.extend(length.to_be_bytes());
            }
        }
        let key = self.key.unwrap_or_default();
        wire.extend(self.key.iter().flatten());
        wire.extend(self.payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    }
}

/// A whole frame of a client on the wire. `first` is the opcode and the flags beside it.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    WireFrame::new(first, payload).write(&mut wire);
    wire
}
