//! The messages of one epoch, as the appender and the subscribers share them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::time::Instant;

use super::archive::Archive;
use super::burst::Bursts;
use super::limits::HistoryLimits;
use super::registry::Registry;
use super::ring::Ring;
use super::survey::Survey;
use super::usage::Usage;
use crate::cursor::{Cursor, Epoch};
use crate::topic::TopicFilter;

/// The messages of one epoch, as the appender and the subscribers share them.
///
/// Locks are taken in the order registry, survey, ring, then the window of one topic or pattern.
pub(crate) struct History {
    pub(crate) epoch: Epoch,
    /// The origin of the moments of this history.
    pub(crate) began: Instant,
    pub(crate) limits: HistoryLimits,
    pub(crate) archive: Option<Arc<dyn Archive>>,
    pub(crate) registry: RwLock<Registry>,
    pub(crate) ring: RwLock<Ring>,
    pub(crate) survey: Survey,
    pub(crate) bursts: Bursts,
    pub(crate) usage: Arc<Usage>,
    /// The history that has taken the place of this one. Set before any subscriber is woken for it.
    pub(crate) successor: OnceLock<Arc<History>>,
    /// The offset of the last visible message. Stored after the messages are in their histories, before any subscriber is woken.
    head: AtomicU64,
    /// The number of the last eviction. Stored after its message is gone, so that a reader which loads it misses none.
    evictions: AtomicU64,
    /// Reads list the messages that are part of recorded traces. Shared with the histories that take the place of this one.
    traced: Arc<AtomicBool>,
    /// An offset that is known to be in this history, though it need not be visible here yet.
    horizon: AtomicU64,
}

impl History {
    pub(crate) fn new(epoch: Epoch, limits: HistoryLimits, archive: Option<Arc<dyn Archive>>) -> Self {
        Self {
            epoch,
            began: Instant::now(),
            limits,
            archive,
            registry: RwLock::default(),
            ring: RwLock::default(),
            survey: Survey::default(),
            bursts: Bursts::default(),
            usage: Arc::new(Usage::new(limits.bytes)),
            successor: OnceLock::new(),
            head: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
            horizon: AtomicU64::new(0),
            traced: Arc::default(),
        }
    }

    /// An empty history that is to take the place of this one.
    pub(crate) fn renewed(&self, epoch: Epoch) -> Self {
        Self { traced: Arc::clone(&self.traced), ..Self::new(epoch, self.limits, self.archive.clone()) }
    }

    pub(crate) fn lists_traced(&self) -> bool {
        self.traced.load(Ordering::Relaxed)
    }

    pub(crate) fn list_traced(&self) {
        self.traced.store(true, Ordering::Relaxed);
    }

    pub(crate) fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    /// Makes everything up to an offset visible. Never goes back.
    pub(crate) fn advance_head(&self, offset: u64) {
        self.usage.advance(offset);
        self.head.fetch_max(offset, Ordering::AcqRel);
    }

    pub(crate) fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Acquire)
    }

    pub(crate) fn set_evictions(&self, number: u64) {
        self.evictions.store(number, Ordering::Release);
    }

    pub(crate) fn cursor(&self, offset: u64) -> Cursor {
        Cursor { epoch: self.epoch, offset }
    }

    /// Returns whether a cursor is of this history and, as far as is known, not after its end.
    pub(crate) fn knows(&self, cursor: Cursor) -> bool {
        cursor.epoch == self.epoch && cursor.offset <= self.head().max(self.horizon.load(Ordering::Acquire))
    }

    pub(crate) fn extend_horizon(&self, cursor: Cursor) {
        if self.epoch == cursor.epoch {
            self.horizon.fetch_max(cursor.offset, Ordering::AcqRel);
        }
    }

    pub(crate) fn is_replaced(&self) -> bool {
        self.successor.get().is_some()
    }

    /// Takes a turn in the search for what was lost of patterns before they were followed.
    pub(crate) fn advance_survey(&self) {
        self.survey.advance(&self.registry);
    }

    /// The registry, with every topic and pattern of the filters in it for as long as the guard is held.
    pub(crate) fn registry_with(&self, filters: &[TopicFilter]) -> RwLockReadGuard<'_, Registry> {
        let registry = self.registry.read();
        if filters.iter().all(|filter| registry.has(filter)) {
            return registry;
        }
        drop(registry);
        let mut registry = self.registry.write();
        let ring = self.ring.read();
        filters.iter().for_each(|filter| registry.open(filter, &ring, &self.usage));
        drop(ring);
        RwLockWriteGuard::downgrade(registry)
    }
}
