//! The memory that a fetch under way holds.

use parking_lot::Mutex;

use super::cache::PageCache;

/// The memory that a fetch under way holds. It counts among that of the kept pages until this is dropped.
pub(super) struct Charge<'a> {
    cache: &'a Mutex<PageCache>,
    bytes: usize,
}

impl<'a> Charge<'a> {
    pub(super) fn new(cache: &'a Mutex<PageCache>) -> Self {
        Self { cache, bytes: 0 }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn add(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.cache.lock().charge(bytes);
    }
}

impl Drop for Charge<'_> {
    fn drop(&mut self) {
        self.cache.lock().discharge(self.bytes);
    }
}
