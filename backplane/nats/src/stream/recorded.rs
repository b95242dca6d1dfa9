//! The content of the stream's metadata that must not be lost.

use serde_json::Value;

use super::metadata::{CHANGED, EPOCH, HISTORY};

/// The content of the metadata of one stream that this process has written or read.
///
/// JetStream replaces the metadata as a whole and unconditionally, so two processes that write at once can undo each other.
/// Therefore the content only grows: a later epoch has a greater number, and a limit that was changed stays so. Each process
/// remembers the greatest content that it knows, and writes it again when it finds less.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Recorded {
    /// The time at which the stream was created, which identifies it, in microseconds since the Unix epoch.
    pub(super) created: u64,
    /// The epoch that counts in place of the time of creation.
    pub(super) epoch: Option<u64>,
    /// The number of messages that a topic may hold was changed.
    pub(super) limit_changed: bool,
}

impl Recorded {
    /// Adds what another one knows of the same stream. The content of another stream takes the place of this.
    pub(super) fn merge(&mut self, other: Self) {
        if self.created != other.created {
            *self = other;
        }
        self.epoch = self.epoch.max(other.epoch);
        self.limit_changed |= other.limit_changed;
    }

    /// Puts the content into the metadata of a configuration.
    pub(super) fn put(self, metadata: &mut Value) {
        if let Some(epoch) = self.epoch {
            metadata[EPOCH] = Value::from(epoch.to_string());
        }
        if self.limit_changed {
            metadata[HISTORY] = Value::from(CHANGED);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_of_one_stream_only_grows() {
        let of = |created, epoch, limit_changed| Recorded { created, epoch, limit_changed };
        let mut recorded = Recorded::default();
        for (other, merged) in [
            (of(1, None, false), of(1, None, false)),
            (of(1, Some(5), false), of(1, Some(5), false)),
            (of(1, None, true), of(1, Some(5), true)),
            (of(1, Some(4), false), of(1, Some(5), true)),
            (of(2, Some(3), false), of(2, Some(3), false)),
        ] {
            recorded.merge(other);
            assert_eq!(recorded, merged);
        }
    }
}
