//! Encoded messages that become one piece of memory.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;

use super::budget::Body;
use super::entry::Entry;

/// Encoded messages that become one piece of memory.
#[derive(Default)]
pub(crate) struct Joined {
    parts: SmallVec<[Bytes; 2]>,
}

impl Body for Joined {
    fn add(&mut self, _: &Arc<Entry>, encoded: Bytes) {
        self.parts.push(encoded);
    }
}

impl From<Joined> for Bytes {
    /// One message is not copied.
    fn from(Joined { mut parts }: Joined) -> Self {
        if parts.len() <= 1 {
            return parts.pop().unwrap_or_default();
        }
        let mut bytes = BytesMut::with_capacity(parts.iter().map(Bytes::len).sum());
        parts.iter().for_each(|part| bytes.extend_from_slice(part));
        bytes.freeze()
    }
}
