//! Gaps in what a client receives.

use serde::Serialize;

use crate::cursor::Cursor;

/// A gap in what a client receives: messages were, or may have been, missed. Reported in-band; delivery continues from
/// `cursor`.
///
/// As JSON: `{"reason":"expired","since":"m3k9x2-42","cursor":"m3k9x2-99"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The reason why messages are missing.
    pub reason: GapReason,
    /// The client's position before it.
    pub since: Cursor,
    /// The client's new position, just before the oldest message still held for it.
    pub cursor: Cursor,
}

/// The reason why messages are missing.
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
