//! The bell by which a connection's socket, timer and drain call for its task.
//!
//! Most wake-ups of a connection are news for its session, which wake the task directly. Socket, timer and drain wake
//! it through the bell, which records that: the task looks at the three only then.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Wake, Waker};

// Named this way because a test puts a model checker's types in their place.
use super::sync::{AtomicBool, AtomicU64, AtomicWaker};

/// Wakes a task and remembers that it did.
pub(crate) struct Bell {
    rung: AtomicBool,
    task: AtomicWaker,
    /// The tick at which [`super::timers::Timers`] rings, as the client has set it.
    pub(super) due: AtomicU64,
    /// The tick at which the timers look at this bell next, or [`NOT_QUEUED`].
    pub(super) queued: AtomicU64,
}

/// The value of [`Bell::queued`] while the timers do not hold the bell.
pub(super) const NOT_QUEUED: u64 = u64::MAX;

/// The value of [`Bell::due`] once the connection has ended.
pub(super) const CLOSED: u64 = u64::MAX;

impl Bell {
    /// Makes a bell that counts as rung, so that the first poll looks at everything.
    pub(crate) fn new() -> Self {
        Self {
            rung: AtomicBool::new(true),
            task: AtomicWaker::new(),
            due: AtomicU64::new(NOT_QUEUED),
            queued: AtomicU64::new(NOT_QUEUED),
        }
    }

    /// Makes the bell wake this task from now on. Called at the beginning of each poll, before [`Bell::take`].
    pub(crate) fn listen(&self, task: &Waker) {
        self.task.register(task);
    }

    /// Returns whether the bell was rung since the last call.
    pub(crate) fn take(&self) -> bool {
        // A load first, since most polls find it silent. The swap synchronizes with the store of whoever rang.
        self.rung.load(Ordering::Acquire) && self.rung.swap(false, Ordering::AcqRel)
    }

    /// Makes the next poll look at everything, without waking the task.
    pub(crate) fn keep_rung(&self) {
        self.rung.store(true, Ordering::Release);
    }

    /// Marks the bell as rung and wakes the task.
    pub(crate) fn ring(&self) {
        // A swap as in `take`, so that the two are in one order: whichever comes second knows of the first.
        self.rung.swap(true, Ordering::AcqRel);
        self.task.wake();
    }

    /// Has the timers let go of the bell, and forgets the task, whose memory would stay allocated until then.
    pub(crate) fn close(&self) {
        self.due.store(CLOSED, Ordering::SeqCst);
        drop(self.task.take());
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell").finish_non_exhaustive()
    }
}
