//! Wire formats.

use std::fmt;

use bytes::Bytes;

use crate::message::Message;

/// A wire format: it turns a message into the bytes that a client is sent. It is declared as a `static`, since formats are distinguished by their address:
///
/// ```
/// use shared::hub::Format;
///
/// static JSON: Format = Format::new(|message| message.to_json().into());
/// ```
pub struct Format {
    encode: fn(&Message) -> Bytes,
}

impl Format {
    /// A format by the function that encodes a message in it.
    pub const fn new(encode: fn(&Message) -> Bytes) -> Self {
        Self { encode }
    }

    /// Encodes a message.
    pub(super) fn encode(&self, message: &Message) -> Bytes {
        (self.encode)(message)
    }
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Format({self:p})")
    }
}
