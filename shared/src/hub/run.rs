//! Messages that many subscribers read together, put together once.

use bytes::{Bytes, BytesMut};

use super::sync::Mutex;
use super::{BatchLimit, Entry};

/// Messages of one topic that follow on each other, as they are written.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) wire: Bytes,
    /// The offset of the last one.
    pub(crate) last: u64,
    /// There are more than the limit allowed.
    pub(crate) more: bool,
}

impl Run {
    /// As many as the limit allows, at least one.
    pub(crate) fn of<'a>(entries: impl Iterator<Item = &'a Entry>, limit: BatchLimit) -> Option<Self> {
        let mut entries = entries.peekable();
        let first = entries.next()?;
        if entries.peek().is_none() {
            return Some(Self { wire: first.wire.clone(), last: first.offset(), more: false });
        }
        let (mut wire, mut last, mut count) = (BytesMut::from(&first.wire[..]), first.offset(), 1);
        while let Some(entry) =
            entries.next_if(|entry| count < limit.messages && wire.len() + entry.wire.len() <= limit.bytes)
        {
            wire.extend_from_slice(&entry.wire);
            (last, count) = (entry.offset(), count + 1);
        }
        Some(Self { wire: wire.freeze(), last, more: entries.peek().is_some() })
    }
}

/// The last run that somebody read, for those who are about to read the same: all who are woken by a burst. One a hub,
/// so that it takes no more memory than one read.
#[derive(Default)]
pub(crate) struct LastRun {
    held: Mutex<Option<(RunKey, Run)>>,
}

/// What makes two runs the same: messages neither change nor move, and an offset is of one topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunKey {
    /// The offset of the first message.
    pub(crate) first: u64,
    /// What was visible.
    pub(crate) head: u64,
    pub(crate) limit: BatchLimit,
}

impl LastRun {
    /// The run of a key, made anew unless it is the last one.
    pub(crate) fn get(&self, key: RunKey, make: impl FnOnce() -> Option<Run>) -> Option<Run> {
        if let Some((_, run)) = self.held.lock().as_ref().filter(|(held, _)| *held == key) {
            return Some(run.clone());
        }
        let run = make()?;
        *self.held.lock() = Some((key, run.clone()));
        Some(run)
    }
}
