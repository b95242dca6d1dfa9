//! Messages that many subscribers read together, put together once.

use bytes::{Bytes, BytesMut};

use super::sync::Mutex;
use super::{BatchLimit, Entry, Format};

/// Messages of one topic that follow on each other, as they are written.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) bytes: Bytes,
    /// The offset of the last one.
    pub(crate) last: u64,
    /// There are more than the limit allowed.
    pub(crate) more: bool,
}

impl Run {
    /// As many as the limit allows, at least one.
    pub(crate) fn of<'a>(
        entries: impl Iterator<Item = &'a Entry>,
        format: &'static Format,
        limit: BatchLimit,
    ) -> Option<Self> {
        let mut entries = entries.peekable();
        let first = entries.next()?;
        if entries.peek().is_none() {
            return Some(Self { bytes: first.encoded(format), last: first.offset(), more: false });
        }
        let (mut bytes, mut last, mut count) = (BytesMut::from(&first.encoded(format)[..]), first.offset(), 1);
        while let Some(entry) =
            entries.next_if(|entry| count < limit.messages && bytes.len() + entry.encoded(format).len() <= limit.bytes)
        {
            bytes.extend_from_slice(&entry.encoded(format));
            (last, count) = (entry.offset(), count + 1);
        }
        Some(Self { bytes: bytes.freeze(), last, more: entries.peek().is_some() })
    }
}

impl RunKey {
    fn is(&self, other: &Self) -> bool {
        let Self { format, first, head, limit } = *self;
        std::ptr::eq(format, other.format) && (first, head, limit) == (other.first, other.head, other.limit)
    }
}

/// The last run that somebody read, for those who are about to read the same: all who are woken by a burst. One a hub,
/// so that it takes no more memory than one read.
#[derive(Default)]
pub(crate) struct LastRun {
    held: Mutex<Option<(RunKey, Run)>>,
}

/// What makes two runs the same: messages neither change nor move, and an offset is of one topic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunKey {
    pub(crate) format: &'static Format,
    /// The offset of the first message.
    pub(crate) first: u64,
    /// What was visible.
    pub(crate) head: u64,
    pub(crate) limit: BatchLimit,
}

impl LastRun {
    /// The run of a key, made anew unless it is the last one.
    pub(crate) fn get(&self, key: RunKey, make: impl FnOnce() -> Option<Run>) -> Option<Run> {
        if let Some((_, run)) = self.held.lock().as_ref().filter(|(held, _)| held.is(&key)) {
            return Some(run.clone());
        }
        let run = make()?;
        *self.held.lock() = Some((key, run.clone()));
        Some(run)
    }
}
