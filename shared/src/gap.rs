//! What a client is told when messages were, or may have been, missed.

use serde::Serialize;

use crate::cursor::Cursor;

/// A gap in what a client receives, told in-band. Delivery goes on from `cursor`.
///
/// As JSON: `{"reason":"expired","since":"m3k9x2-42","cursor":"m3k9x2-99"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// Why messages are missing.
    pub reason: GapReason,
    /// What the client had.
    pub since: Cursor,
    /// The client's new position, just before the oldest message still held for it.
    pub cursor: Cursor,
}

/// Why messages are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GapReason {
    /// The history no longer reaches back to the client's cursor.
    Expired,
    /// The cursor is of another history, or of one that has not come this far.
    Epoch,
    /// The client was too slow while it was connected.
    Lagged,
}
