//! The history that all subscribers share, and how they follow it.
//!
//! A [`Subscriber`] is a cursor into the hub's bounded histories, one a topic: it holds no messages, so a slow one costs
//! no memory. The one [`Appender`] of a hub appends; only a backplane owns it, which makes the backplane the one place
//! where order is decided.
//!
//! Readers and the appender agree on one number, `head`: a message is visible once `head` has reached its offset. A reader
//! loads `head` first and takes nothing beyond it, so it can never see a later message of one topic and miss an earlier
//! one of another.
//!
//! A history can be replaced as a whole, by one of another epoch: the hub then hands out the new one, and the subscribers
//! of the old one, which knows its successor, move over and tell their clients.
//!
//! Where an [`Archive`] holds more than memory does, a subscriber that falls out of memory reads from there until memory
//! reaches back to its position.

mod account;
mod appender;
mod archive;
mod batch;
mod entry;
mod format;
mod history;
mod pattern;
mod registry;
mod run;
mod slots;
mod subscriber;
mod sync;
mod usage;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use smallvec::SmallVec;

pub use appender::{Appender, HistoryLimits, SLICE, Wake};
pub use archive::{Archive, Fetched};
pub use batch::{Batch, BatchLimit, EncodedBatch};
pub use entry::Entry;
pub use format::Format;
pub use subscriber::Subscriber;

use crate::cursor::{Cursor, Epoch, Position};
use crate::topic::TopicFilter;
use registry::Registry;
use run::LastRun;
use usage::Usage;

/// What is read at once. The few messages that most reads find take no allocation.
pub type Entries = SmallVec<[Arc<Entry>; 4]>;

/// A handle to the shared history. Cloning it makes another handle to the same one.
#[derive(Clone)]
pub struct Hub {
    current: Arc<RwLock<Arc<Inner>>>,
}

struct Inner {
    epoch: Epoch,
    /// The offset of the last visible message. Stored after the messages are in their histories, before anyone is woken.
    head: AtomicU64,
    /// How many messages have been evicted. Counted after each is gone, so that whoever loads it misses none of them.
    evictions: AtomicU64,
    /// An offset that is known to be in this history, though it need not be visible here yet.
    horizon: AtomicU64,
    /// The history that has taken the place of this one. Set before anyone is woken for it.
    successor: OnceLock<Arc<Inner>>,
    archive: Option<Arc<dyn Archive>>,
    last_run: LastRun,
    usage: Arc<Usage>,
    registry: RwLock<Registry>,
}

impl Hub {
    /// An empty hub, and the appender that fills it.
    pub fn new(epoch: Epoch, limits: HistoryLimits) -> (Self, Appender) {
        Self::with_archive(epoch, limits, None)
    }

    /// As [`Hub::new`], with what holds messages for longer than memory does.
    pub fn with_archive(epoch: Epoch, limits: HistoryLimits, archive: Option<Arc<dyn Archive>>) -> (Self, Appender) {
        let inner = Arc::new(Inner::new(epoch, limits, archive));
        (Self { current: Arc::new(RwLock::new(Arc::clone(&inner))) }, Appender::new(inner, limits))
    }

    /// Puts the history of another appender, one that [`Appender::renew`] made, in the place of the present one. Whoever follows
    /// the present one moves over, and is told of a gap.
    pub fn replace(&self, appender: &Appender) -> Wake {
        let next = appender.inner();
        let before = std::mem::replace(&mut *self.current.write(), Arc::clone(&next));
        // An error would mean that a history is replaced twice, and this one is current no longer.
        let _ = before.successor.set(next);
        Wake::all(&before.registry.read())
    }

    /// The position after everything published so far.
    pub fn head(&self) -> Cursor {
        let inner = self.inner();
        inner.cursor(inner.head())
    }

    /// Whether a cursor is of this history and, as far as is known, no further than it goes.
    pub fn knows(&self, cursor: Cursor) -> bool {
        self.inner().knows(cursor)
    }

    /// Has this offset, and all before it, taken for part of the history of this epoch, though they may not be visible
    /// here yet.
    pub fn extend_horizon(&self, cursor: Cursor) {
        let inner = self.inner();
        if inner.epoch == cursor.epoch {
            inner.horizon.fetch_max(cursor.offset, Ordering::AcqRel);
        }
    }

    /// Follows every topic that one of the filters names, from a position on.
    ///
    /// Nothing published after the call is missed: the subscriber is in place before the position is taken.
    pub fn subscribe(&self, filters: &[TopicFilter], from: Position) -> Subscriber {
        let inner = self.inner();
        let archived = inner.archive.is_some();
        Subscriber::new(inner, filters, from, archived)
    }

    /// As [`Hub::subscribe`], but what memory does not hold is lost to this subscriber, even where an archive has it: it
    /// never has to wait for what it reads.
    pub fn subscribe_in_memory(&self, filters: &[TopicFilter], from: Position) -> Subscriber {
        Subscriber::new(self.inner(), filters, from, false)
    }

    /// How many topics are kept: those with messages or subscribers.
    pub fn topics(&self) -> usize {
        self.inner().registry.read().topics()
    }

    fn inner(&self) -> Arc<Inner> {
        Arc::clone(&self.current.read())
    }
}

impl Inner {
    fn new(epoch: Epoch, limits: HistoryLimits, archive: Option<Arc<dyn Archive>>) -> Self {
        Self {
            epoch,
            head: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
            horizon: AtomicU64::new(0),
            successor: OnceLock::new(),
            archive,
            last_run: LastRun::default(),
            usage: Arc::new(Usage::new(limits.bytes)),
            registry: RwLock::default(),
        }
    }

    fn knows(&self, cursor: Cursor) -> bool {
        cursor.epoch == self.epoch && cursor.offset <= self.head().max(self.horizon.load(Ordering::Acquire))
    }

    fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Acquire)
    }

    fn cursor(&self, offset: u64) -> Cursor {
        Cursor { epoch: self.epoch, offset }
    }

    /// The registry, with every topic and pattern of the filters in it for as long as the guard is held.
    fn registry_with(&self, filters: &[TopicFilter]) -> RwLockReadGuard<'_, Registry> {
        let registry = self.registry.read();
        if filters.iter().all(|filter| registry.has(filter)) {
            return registry;
        }
        drop(registry);
        let mut registry = self.registry.write();
        filters.iter().for_each(|filter| registry.open(filter));
        RwLockWriteGuard::downgrade(registry)
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("head", &self.head()).finish_non_exhaustive()
    }
}
