//! The archive, as the hub knows it.

use std::fmt;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::cache::Filters;
use super::page_store::PageStore;
use crate::replica::Replica;
use shared::hub::{Archive, ArchivePosition, Fetched};
use shared::topic::TopicFilter;

/// The older messages of the stream. Clients share fetches and pages.
pub(crate) struct StreamArchive {
    pages: Arc<PageStore>,
}

impl StreamArchive {
    pub(crate) fn new(replica: Arc<Replica>) -> Self {
        Self { pages: Arc::new(PageStore::new(replica)) }
    }
}

impl Archive for StreamArchive {
    /// Returns a future that does nothing before it is polled, so that a client that is blocked does not hold a page.
    fn fetch(&self, filters: &[TopicFilter], from: ArchivePosition) -> BoxFuture<'static, Fetched> {
        Arc::clone(&self.pages).read((Filters::from(filters), from.after)).boxed()
    }
}

impl fmt::Debug for StreamArchive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamArchive").finish_non_exhaustive()
    }
}
