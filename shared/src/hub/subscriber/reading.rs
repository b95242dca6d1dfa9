//! Reading of what comes next: from memory, or from the archive.

use bytes::Bytes;

use super::super::archive::Fetched;
use super::super::backfill::Backfill;
use super::super::batch::{Batch, BatchLimit, EncodedBatch, Entries, Tally};
use super::super::budget::{Body, Budget};
use super::super::burst::{Burst, BurstKey};
use super::super::format::Format;
use super::super::interests::Lost;
use super::super::joined::Joined;
use super::{Pending, Reach, Subscriber};
use crate::gap::{Gap, GapReason};

/// The result of one read.
#[derive(Default)]
struct Reading<B> {
    gap: Option<Gap>,
    body: B,
    tally: Tally,
    more: bool,
}

impl Subscriber {
    /// Takes the next messages, without waiting, and moves the position behind them. The limit counts bytes in the format.
    pub fn read(&mut self, format: &'static Format, limit: BatchLimit) -> Batch {
        let Reading { gap, body: entries, tally, more } = self.read_into::<Entries>(format, limit);
        self.note_position();
        Batch { gap, entries, tally, more }
    }

    /// As [`Subscriber::read`], with the encoded messages joined.
    pub fn read_encoded(&mut self, format: &'static Format, limit: BatchLimit) -> EncodedBatch {
        let mut batch = EncodedBatch::default();
        if !self.read_burst(format, limit, &mut batch) {
            let Reading { gap, body, tally, more } = self.read_into::<Joined>(format, limit);
            batch = EncodedBatch { gap, bytes: Bytes::from(body), tally, more };
        }
        self.note_position();
        batch
    }

    /// The usual case of [`Subscriber::read_encoded`]: one topic or pattern, and nothing to report but messages. Returns
    /// false if it is another case.
    fn read_burst(&mut self, format: &'static Format, limit: BatchLimit, batch: &mut EncodedBatch) -> bool {
        let [interest] = self.interests.as_slice() else { return false };
        if self.pending.is_some() || self.history.is_replaced() {
            return false;
        }
        let (head, group) = (self.history.head(), interest.group());
        if head <= self.progress.position {
            return true;
        }
        let is_replay = self.progress.position < self.joined;
        if is_replay && head > self.joined {
            // Some of the messages may be replayed and some not, which nobody counts of a burst.
            return false;
        }
        let read = self.interests.read(self.progress, head, limit, &self.history.ring, |unread, through| {
            let key = |first| BurstKey { format, limit, group, first, through };
            match self.history.bursts.read(unread, self.history.lists_traced(), key) {
                Some(Burst { bytes, last, more, tally }) => {
                    (batch.bytes, batch.more) = (bytes, more || through < head);
                    batch.tally = if is_replay { tally.of_replay() } else { tally };
                    if more { last } else { through }
                }
                None => through,
            }
        });
        let Ok(position) = read else { return false };
        self.progress.position = position;
        if batch.bytes.is_empty() && position < head {
            self.interrupt_search();
            batch.more = true;
        }
        true
    }

    fn read_into<B: Body>(&mut self, format: &'static Format, limit: BatchLimit) -> Reading<B> {
        if self.history.is_replaced() {
            self.move_over();
        }
        let gap = match self.pending.take().map(|pending| *pending) {
            None | Some(Pending::Search { .. }) => None,
            Some(Pending::Gap(gap)) => Some(gap),
            Some(pending @ Pending::Survey(_)) if self.may_have_lost() => {
                self.pending = Some(Box::new(pending));
                return Reading { more: true, ..Reading::default() };
            }
            Some(Pending::Survey(arrival)) => {
                self.arrive(arrival);
                return self.read_into(format, limit);
            }
            Some(Pending::Backfill(backfill)) => return self.read_archived(backfill, format, limit),
        };
        let mut reading = Reading { gap, ..Reading::default() };
        let mut budget = Budget::new(format, limit, self.joined, self.history.lists_traced());
        self.fill(&mut reading, &mut budget, limit);
        reading.tally = budget.into_tally();
        reading
    }

    /// Reads what memory holds, as far as the budget goes.
    fn fill<B: Body>(&mut self, reading: &mut Reading<B>, budget: &mut Budget, limit: BatchLimit) {
        loop {
            let head = self.history.head();
            // The position can be ahead, where another process has come further with the same history.
            if head <= self.progress.position {
                return;
            }
            let read = self.interests.read(self.progress, head, limit, &self.history.ring, |entries, through| {
                if budget.fill(&mut reading.body, entries) { Ok(through) } else { Err(budget.last()) }
            });
            match read {
                Ok(Ok(through)) => {
                    self.progress.position = through;
                    if through < head {
                        reading.more = true;
                        if budget.last().is_none() && reading.gap.is_none() {
                            self.interrupt_search();
                        }
                        return;
                    }
                }
                Ok(Err(last)) => {
                    self.progress.position = last.unwrap_or(self.progress.position);
                    reading.more = true;
                    return;
                }
                // The next read reports it, or reads from the archive.
                Err(Lost) if budget.last().is_some() || self.begin_backfill(GapReason::Lagged) => {
                    reading.more = true;
                    return;
                }
                Err(Lost) => {
                    let lagged = self.fall_forward(GapReason::Lagged, self.cursor());
                    // Two losses before one read are one gap, with the first reason and the last position.
                    reading.gap = Some(Gap { cursor: lagged.cursor, ..reading.gap.unwrap_or(lagged) });
                }
            }
        }
    }

    /// Takes from a page of the archive as much as fits, and drops the page. Continues with memory once that reaches back
    /// to the position.
    fn read_archived<B: Body>(&mut self, backfill: Backfill, format: &'static Format, limit: BatchLimit) -> Reading<B> {
        let reason = backfill.reason;
        let (entries, through) = match backfill.into_page() {
            Err(backfill) => {
                self.pending = Some(Box::new(Pending::Backfill(backfill)));
                return Reading { more: true, ..Reading::default() };
            }
            // A page that leads nowhere would be asked for again without end.
            Ok(Fetched::Page { entries, through, ignored_evictions }) if through > self.progress.position => {
                self.reach = Reach::Archive { ignored_evictions: Some(ignored_evictions) };
                (entries, through)
            }
            Ok(Fetched::Lost { through }) if through > self.progress.position => {
                let gap = Gap { reason, since: self.cursor(), cursor: self.history.cursor(through) };
                self.progress.position = through;
                self.pending = Some(Box::new(Pending::Gap(gap)));
                return self.read_into(format, limit);
            }
            Ok(_) => {
                if self.lost_through().is_some() {
                    let gap = self.fall_forward(reason, self.cursor());
                    self.pending = Some(Box::new(Pending::Gap(gap)));
                }
                return self.read_into(format, limit);
            }
        };
        let (mut body, mut budget) =
            (B::default(), Budget::new(format, limit, self.joined, self.history.lists_traced()));
        let first = entries.partition_point(|entry| entry.offset() <= self.progress.position);
        let all = budget.fill(&mut body, entries[first..].iter());
        self.progress.position = budget.last().filter(|_| !all).unwrap_or(through);
        let more = (self.lost_through().is_some() && self.begin_backfill(reason)) || self.has_news();
        Reading { gap: None, body, tally: budget.into_tally(), more }
    }

    /// Leaves the rest of a long search to the next read, which waits until other tasks have had their turn.
    fn interrupt_search(&mut self) {
        self.pending = Some(Box::new(Pending::Search { yielded: false }));
    }
}
