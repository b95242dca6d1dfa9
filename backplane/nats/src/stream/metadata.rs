//! The keys that this crate keeps in the stream's metadata.

/// The number of messages that a topic may hold, as the stream was created.
///
/// A replica infers from this number which stored messages are missing. If it has been another one for a while, messages
/// may be missing of topics that are not full by the present one. So a replica that notices a change writes [`CHANGED`]
/// here, and the stream is never used again, even if the number is put back.
pub(super) const HISTORY: &str = "push-history";

/// See [`HISTORY`].
pub(super) const CHANGED: &str = "changed";

/// The epoch of the history, if it is no longer the time at which the stream was created.
pub(super) const EPOCH: &str = "push-epoch";
