//! The trait of archives.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::entry::Entry;
use crate::cursor::Cursor;
use crate::topic::TopicFilter;

/// An archive: it holds messages for longer than memory does.
pub trait Archive: fmt::Debug + Send + Sync + 'static {
    /// Reads what comes after a cursor, of the topics that the filters name. Does not fail: retries until the archive
    /// can be read.
    ///
    /// A subscriber takes from a page what it may send at once and asks again for the rest, so an archive should keep
    /// the pages that it has just fetched.
    fn fetch(&self, filters: &[TopicFilter], after: Cursor) -> BoxFuture<'static, Fetched>;
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
    },
    /// Some message after the cursor may be gone.
    Gone,
}
