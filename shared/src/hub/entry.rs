//! A message as a history holds it.

use std::ptr;
use std::sync::OnceLock;

use bytes::Bytes;

use super::format::Format;
use crate::message::Message;

/// A message as a history holds it, with its encodings.
#[derive(Debug)]
pub struct Entry {
    /// The message.
    pub message: Message,
    /// The first of the chain, inline since most services use one format.
    encoding: OnceLock<Encoding>,
}

/// A message in one format, and the link to its encodings in other formats.
#[derive(Debug)]
struct Encoding {
    format: &'static Format,
    bytes: Bytes,
    next: OnceLock<Box<Self>>,
}

impl Encoding {
    fn new(message: &Message, format: &'static Format) -> Self {
        Self { format, bytes: format.encode(message), next: OnceLock::new() }
    }
}

impl Entry {
    /// An entry without encodings.
    pub fn new(message: Message) -> Self {
        Self { message, encoding: OnceLock::new() }
    }

    /// The message in a format. Made at first need, then shared by all readers.
    pub fn encoded(&self, format: &'static Format) -> Bytes {
        let mut encoding = self.encoding.get_or_init(|| Encoding::new(&self.message, format));
        while !ptr::eq(encoding.format, format) {
            encoding = encoding.next.get_or_init(|| Box::new(Encoding::new(&self.message, format)));
        }
        encoding.bytes.clone()
    }

    pub(super) fn offset(&self) -> u64 {
        self.message.id.offset
    }

    /// The memory that the entry occupies without its encodings, in bytes.
    pub(super) fn cost(&self) -> usize {
        // Beside the two texts: the entry, its counts, its place in the history.
        const FIXED: usize = size_of::<Entry>() + 3 * size_of::<usize>();
        let event = self.message.event.as_ref().map_or(0, |event| event.as_str().len());
        FIXED + self.message.text.len() + event
    }
}
