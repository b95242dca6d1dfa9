//! The end of the backplane's threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag by which the threads of the backplane learn that they are to end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
