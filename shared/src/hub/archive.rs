//! The trait of archives.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::entry::Entry;
use crate::cursor::Cursor;
use crate::topic::TopicFilter;

/// An archive: it holds messages for longer than memory does.
pub trait Archive: fmt::Debug + Send + Sync + 'static {
    /// Returns whether a reader that asks for the earliest message begins with those that only the archive holds. Otherwise it
    /// begins with what memory holds.
    fn begins_with_oldest(&self) -> bool {
        false
    }

    /// Reads what comes after a position, of the topics that the filters name. Does not fail: retries until the archive
    /// can be read.
    ///
    /// A subscriber takes from a page what it may send at once and asks again for the rest, so an archive should keep
    /// the pages that it has just fetched.
    fn fetch(&self, filters: &[TopicFilter], from: ArchivePosition) -> BoxFuture<'static, Fetched>;
}

/// The position of a reader in an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchivePosition {
    /// Everything up to here has been read, or reported as missing.
    pub after: Cursor,
    /// Losses by evictions of the archive up to this one are not reported: the reader asked for what was held after them. `None`
    /// for the first page of a reader that asks for the earliest message, which ignores all evictions until then.
    pub ignored_evictions: Option<u64>,
}

/// The answer of an archive.
#[derive(Debug, Clone)]
pub enum Fetched {
    /// Everything after the cursor up to a greater offset.
    Page {
        /// The messages, in order.
        entries: Arc<[Arc<Entry>]>,
        /// The offset that they reach to, even if it is that of no message.
        through: u64,
        /// The evictions that the reader ignores from now on: those that it has ignored, or those until this page.
        ignored_evictions: u64,
    },
    /// Messages after the cursor may be gone, up to this offset; what comes after it can be read.
    Lost {
        /// The offset of the last message that may be gone, which is greater than that of the cursor.
        through: u64,
    },
    /// Some message after the cursor may be gone, and it is not known which.
    Gone,
}
