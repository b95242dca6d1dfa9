//! What holds messages for longer than memory does, and how a subscriber reads from there.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::Entry;
use crate::cursor::Cursor;
use crate::gap::GapReason;
use crate::topic::TopicFilter;

/// What holds messages for longer than memory does.
pub trait Archive: fmt::Debug + Send + Sync + 'static {
    /// Reads what comes after a cursor, of the topics that the filters name. Takes as long as it has to: where the archive
    /// is out of reach or cannot be read, until it can.
    fn fetch(&self, filters: &[TopicFilter], after: Cursor) -> BoxFuture<'static, Fetched>;
}

/// What an archive has after a cursor.
#[derive(Debug, Clone)]
pub enum Fetched {
    /// Everything after the cursor up to an offset beyond it.
    Page {
        /// The messages, in order.
        entries: Arc<[Arc<Entry>]>,
        /// The offset that they reach to, even if it is that of no message.
        through: u64,
    },
    /// Something after the cursor may be gone.
    Gone,
}

/// A subscriber's way through what memory no longer holds.
pub(super) struct Backfill {
    /// Why there is a gap, should the archive not have everything either.
    pub(super) reason: GapReason,
    stage: Stage,
}

enum Stage {
    Fetching(BoxFuture<'static, Fetched>),
    Fetched(Fetched),
}

impl Backfill {
    pub(super) fn begin(archive: &dyn Archive, filters: &[TopicFilter], after: Cursor, reason: GapReason) -> Self {
        Self { reason, stage: Stage::Fetching(archive.fetch(filters, after)) }
    }

    /// Whether something has been fetched.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Stage::Fetching(fetching) = &mut self.stage {
            match fetching.poll_unpin(cx) {
                Poll::Ready(fetched) => self.stage = Stage::Fetched(fetched),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(())
    }

    /// What has been fetched, if it has.
    pub(super) fn fetched(&self) -> Option<&Fetched> {
        match &self.stage {
            Stage::Fetching(_) => None,
            Stage::Fetched(fetched) => Some(fetched),
        }
    }

    /// Goes on with another fetch.
    pub(super) fn go_on(&mut self, archive: &dyn Archive, filters: &[TopicFilter], after: Cursor) {
        let fetching = Stage::Fetching(archive.fetch(filters, after));
        drop(mem::replace(&mut self.stage, fetching));
    }
}
