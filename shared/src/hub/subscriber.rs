//! A cursor into the shared history.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::archive::{Backfill, Fetched};
use super::batch::{Batch, BatchLimit, EncodedBatch, cut_to};
use super::history::{Loss, Lost, TopicHistory};
use super::pattern::PatternGroup;
use super::registry::Registry;
use super::run::Run;
use super::slots::{Seat, poll_news};
use super::{Entries, Format, Inner};
use crate::cursor::{Cursor, Position};
use crate::gap::{Gap, GapReason};
use crate::topic::TopicFilter;

/// One client's place in the history: a position and a place among those to be woken, nothing else.
pub struct Subscriber {
    hub: Arc<Inner>,
    interests: Vec<Interest>,
    /// Everything up to this offset is done with.
    position: u64,
    /// Evictions up to this one are no concern of this subscriber.
    settled: u64,
    /// Known since the subscription, to be told by the first read.
    gap: Option<Gap>,
    /// What memory does not hold is read from the archive.
    archived: bool,
    /// It is being read from there.
    backfill: Option<Box<Backfill>>,
}

enum Interest {
    Topic(Seat, Arc<TopicHistory>),
    Pattern(Seat, Arc<PatternGroup>),
}

impl Interest {
    fn new(registry: &Registry, filter: &TopicFilter) -> Self {
        const HELD: &str = "the guard holds what was opened";
        match filter {
            TopicFilter::Exact(topic) => {
                let topic = Arc::clone(registry.topic(topic).expect(HELD));
                Self::Topic(topic.slots.join(), topic)
            }
            TopicFilter::Pattern(pattern) => {
                let group = Arc::clone(registry.pattern(pattern).expect(HELD));
                Self::Pattern(group.slots.join(), group)
            }
        }
    }

    fn filter(&self) -> TopicFilter {
        match self {
            Self::Topic(_, topic) => topic.topic.clone().into(),
            Self::Pattern(_, group) => TopicFilter::Pattern(group.pattern.clone()),
        }
    }

    fn seat(&self) -> &Seat {
        match self {
            Self::Topic(seat, _) | Self::Pattern(seat, _) => seat,
        }
    }

    fn last(&self) -> u64 {
        match self {
            Self::Topic(_, topic) => topic.last(),
            Self::Pattern(_, group) => group.last(),
        }
    }

    /// How far the losses reach that concern a reader; 0 if there are none.
    fn lost_through(&self, after: u64, settled: u64) -> u64 {
        let concerning = |loss: Loss| if loss.concerns(after, settled) { loss.through } else { 0 };
        match self {
            Self::Topic(_, topic) => concerning(topic.loss()),
            Self::Pattern(_, group) => {
                let matching = group.matching.read();
                let lost = matching.topics.values().map(|topic| concerning(topic.loss()));
                lost.fold(concerning(matching.loss), u64::max)
            }
        }
    }

    fn oldest_after(&self, after: u64) -> Option<u64> {
        match self {
            Self::Topic(_, topic) => topic.oldest_after(after),
            Self::Pattern(_, group) => {
                group.matching.read().topics.values().filter_map(|topic| topic.oldest_after(after)).min()
            }
        }
    }
}

impl Subscriber {
    pub(super) fn new(hub: Arc<Inner>, filters: &[TopicFilter], from: Position, archived: bool) -> Self {
        let registry = hub.registry_with(filters);
        let interests = filters.iter().map(|filter| Interest::new(&registry, filter)).collect();
        drop(registry);
        // From here on every message wakes this subscriber, so the position can be taken.
        let head = hub.head();
        let mut subscriber = Self { hub, interests, position: head, settled: 0, gap: None, archived, backfill: None };
        match from {
            Position::Now => {}
            // Who asks for what is held is not told of what is not.
            Position::Earliest => {
                subscriber.settled = subscriber.hub.evictions();
                subscriber.move_before_oldest(0);
            }
            Position::At(since) if !subscriber.hub.knows(since) => {
                subscriber.position = 0;
                subscriber.gap = Some(subscriber.fall_forward(GapReason::Epoch, since));
            }
            Position::At(since) => {
                subscriber.position = since.offset;
                if subscriber.lost_through() > since.offset && !subscriber.begin_backfill(GapReason::Expired) {
                    subscriber.gap = Some(subscriber.fall_forward(GapReason::Expired, since));
                }
            }
        }
        subscriber
    }

    /// The position: everything up to it has been read. As long as a gap has not been read, what the client had before
    /// it, so that a client which keeps this cursor and is cut off is told of the gap when it comes back.
    pub fn cursor(&self) -> Cursor {
        self.gap.map_or_else(|| self.hub.cursor(self.position), |gap| gap.since)
    }

    /// Takes what comes next, without waiting, and moves the position behind it. The limit counts bytes in the format.
    pub fn read(&mut self, format: &'static Format, limit: BatchLimit) -> Batch {
        if self.hub.successor.get().is_some() {
            self.move_over();
        }
        if let Some(backfill) = self.backfill.take() {
            return self.read_archived(backfill, format, limit);
        }
        let mut gap = self.gap.take();
        loop {
            let head = self.hub.head();
            // The position can be ahead, where another process has come further with the same history.
            if head <= self.position {
                return Batch { gap, ..Batch::default() };
            }
            let mut entries = Entries::new();
            match self.collect(head, limit.messages, &mut entries) {
                Ok(()) => {
                    let more = cut_to(&mut entries, format, limit);
                    self.position = if more { entries[entries.len() - 1].offset() } else { head };
                    return Batch { gap, entries, more };
                }
                Err(Lost) if self.begin_backfill(GapReason::Lagged) => {
                    return Batch { gap, entries: Entries::new(), more: true };
                }
                Err(Lost) => {
                    let lagged = self.fall_forward(GapReason::Lagged, self.cursor());
                    // Two losses before one read are one gap, with the first reason and the last position.
                    gap = Some(Gap { cursor: lagged.cursor, ..gap.unwrap_or(lagged) });
                }
            }
        }
    }

    /// As [`Subscriber::read`], with the encoded messages joined.
    pub fn read_encoded(&mut self, format: &'static Format, limit: BatchLimit) -> EncodedBatch {
        if let Some(batch) = self.read_run(format, limit) {
            return batch;
        }
        let Batch { gap, entries, more } = self.read(format, limit);
        let bytes = match &entries[..] {
            [entry] => entry.encoded(format),
            entries => entries.iter().flat_map(|entry| entry.encoded(format)).collect(),
        };
        EncodedBatch { gap, bytes, more }
    }

    /// The usual case: one topic, and nothing to be told but messages. `None` if it is not.
    fn read_run(&mut self, format: &'static Format, limit: BatchLimit) -> Option<EncodedBatch> {
        let [Interest::Topic(_, topic)] = &self.interests[..] else { return None };
        if self.gap.is_some() || self.backfill.is_some() || self.hub.successor.get().is_some() {
            return None;
        }
        let head = self.hub.head();
        if head <= self.position {
            return Some(EncodedBatch::default());
        }
        let run = topic.run(self.position, self.settled, head, format, limit, &self.hub.last_run).ok()?;
        let Some(Run { bytes, last, more }) = run else {
            self.position = head;
            return Some(EncodedBatch::default());
        };
        self.position = if more { last } else { head };
        Some(EncodedBatch { gap: None, bytes, more })
    }

    /// Waits until a read would find something.
    pub async fn changed(&mut self) {
        poll_fn(|cx| self.poll_changed(cx)).await;
    }

    /// As [`Subscriber::changed`].
    pub fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(backfill) = &mut self.backfill {
            let replaced = || self.hub.successor.get().is_some();
            let moves_over = poll_news(self.interests.iter().map(Interest::seat), cx, replaced);
            return if moves_over.is_ready() { Poll::Ready(()) } else { backfill.poll(cx) };
        }
        poll_news(self.interests.iter().map(Interest::seat), cx, || self.has_news())
    }

    fn has_news(&self) -> bool {
        let head = self.hub.head();
        self.gap.is_some()
            || self.interests.iter().any(|interest| interest.last().min(head) > self.position)
            || self.hub.successor.get().is_some()
    }

    fn filters(&self) -> Vec<TopicFilter> {
        self.interests.iter().map(Interest::filter).collect()
    }

    /// Follows the same topics in the history that has taken the place of this one.
    fn move_over(&mut self) {
        let mut hub = Arc::clone(&self.hub);
        while let Some(next) = hub.successor.get() {
            hub = Arc::clone(next);
        }
        // The epoch differs, so this is told as a gap.
        *self = Self::new(hub, &self.filters(), Position::At(self.cursor()), self.archived);
    }

    /// Begins to read from the archive, if there is one. Returns whether there is.
    fn begin_backfill(&mut self, reason: GapReason) -> bool {
        let Some(archive) = self.hub.archive.as_ref().filter(|_| self.archived) else { return false };
        let after = self.hub.cursor(self.position);
        self.backfill = Some(Box::new(Backfill::begin(&**archive, &self.filters(), after, reason)));
        true
    }

    /// Hands out what has been fetched. Goes on from memory once that reaches back to the position.
    fn read_archived(&mut self, mut backfill: Box<Backfill>, format: &'static Format, limit: BatchLimit) -> Batch {
        let (entries, through) = match backfill.fetched() {
            None => {
                self.backfill = Some(backfill);
                return Batch { more: true, ..Batch::default() };
            }
            // A page that leads nowhere would be asked for again without end.
            Some(Fetched::Page { entries, through }) if *through > self.position => (entries, *through),
            Some(_) => {
                if self.lost_through() > self.position {
                    self.gap = Some(self.fall_forward(backfill.reason, self.cursor()));
                }
                return self.read(format, limit);
            }
        };
        let first = entries.partition_point(|entry| entry.offset() <= self.position);
        let mut batch: Entries = entries[first..].iter().take(limit.messages.saturating_add(1)).cloned().collect();
        if cut_to(&mut batch, format, limit) {
            self.position = batch[batch.len() - 1].offset();
            self.backfill = Some(backfill);
            return Batch { gap: None, entries: batch, more: true };
        }
        self.position = through;
        let mut more = self.has_news();
        if self.lost_through() > self.position
            && let Some(archive) = &self.hub.archive
        {
            backfill.go_on(&**archive, &self.filters(), self.hub.cursor(self.position));
            self.backfill = Some(backfill);
            more = true;
        }
        Batch { gap: None, entries: batch, more }
    }

    /// Of what comes after the position, everything up to this offset may be gone, of one topic or another.
    fn lost_through(&self) -> u64 {
        let lost = self.interests.iter().map(|interest| interest.lost_through(self.position, self.settled));
        lost.max().unwrap_or_default()
    }

    /// Moves behind everything that is lost, and says so. With several topics, messages that are held of one can be
    /// older than what is lost of another; they are passed over, so that the gap covers all that is missing.
    fn fall_forward(&mut self, reason: GapReason, since: Cursor) -> Gap {
        self.move_before_oldest(self.lost_through());
        Gap { reason, since, cursor: self.cursor() }
    }

    /// Takes the position just before the oldest message held after an offset.
    fn move_before_oldest(&mut self, after: u64) {
        let head = self.hub.head();
        let oldest = self.interests.iter().filter_map(|interest| interest.oldest_after(after)).min();
        self.position = oldest.map_or(head, |oldest| head.min(oldest - 1)).max(after);
    }

    /// Adds to `into` what comes after the position up to `head`, in order; of each topic one more than `most`, so that
    /// the caller can tell whether there is more.
    fn collect(&self, head: u64, most: usize, into: &mut Entries) -> Result<(), Lost> {
        let most = most.saturating_add(1);
        for interest in &self.interests {
            match interest {
                Interest::Topic(_, topic) => topic.read(self.position, self.settled, head, most, into)?,
                Interest::Pattern(_, group) => {
                    let matching = group.matching.read();
                    if matching.loss.concerns(self.position, self.settled) {
                        return Err(Lost);
                    }
                    for topic in matching.topics.values().filter(|topic| topic.last() > self.position) {
                        topic.read(self.position, self.settled, head, most, into)?;
                    }
                }
            }
        }
        let one_topic = matches!(self.interests[..], [Interest::Topic(..)]);
        if !one_topic {
            into.sort_unstable_by_key(|entry| entry.offset());
            into.dedup_by_key(|entry| entry.offset());
        }
        Ok(())
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        for interest in self.interests.drain(..) {
            match interest {
                Interest::Topic(seat, topic) => {
                    drop(seat);
                    if topic.is_unused() {
                        self.hub.registry.write().close_topic_if_unused(&topic.topic);
                    }
                }
                Interest::Pattern(seat, group) => {
                    drop(seat);
                    if group.slots.is_empty() {
                        self.hub.registry.write().close_pattern_if_unused(&group.pattern);
                    }
                }
            }
        }
    }
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber").field("cursor", &self.cursor()).finish_non_exhaustive()
    }
}
