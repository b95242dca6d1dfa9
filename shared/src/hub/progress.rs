//! The progress of a reader.

/// The progress of a reader through a history.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    /// Everything up to this offset has been read, or reported as missing.
    pub(crate) position: u64,
    /// Losses by evictions up to this one are not reported: the reader asked for what was held after them.
    pub(crate) ignored_evictions: u64,
}
