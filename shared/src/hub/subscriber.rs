//! A cursor into the shared history.

mod reading;

use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::task::yield_now;

use super::archive::ArchivePosition;
use super::backfill::Backfill;
use super::history::History;
use super::interest::Interest;
use super::interests::Interests;
use super::progress::Progress;
use super::slots::poll_news;
use crate::cursor::{Cursor, Position};
use crate::gap::{Gap, GapReason};
use crate::topic::TopicFilter;

/// The place of one client in the history: a position and a place among those to be woken, nothing else.
pub struct Subscriber {
    history: Arc<History>,
    interests: Interests,
    progress: Progress,
    reach: Reach,
    /// The end of the history at the subscription: messages up to it are replayed.
    joined: u64,
    /// Boxed, since it is rare.
    pending: Option<Box<Pending>>,
}

/// The source of messages that memory does not hold.
#[derive(Debug, Clone, Copy)]
enum Reach {
    /// None: they are lost to the subscriber.
    Memory,
    /// The archive, whose evictions up to this one are ignored; all until the first page if it is `None`.
    Archive { ignored_evictions: Option<u64> },
}

/// The beginning of a subscription, once it is known what is lost.
#[derive(Debug, Clone, Copy)]
enum Arrival {
    /// At a position of which nothing that memory holds is missing.
    InMemory,
    /// Before the oldest message, which the archive may hold.
    Earliest,
    /// At the cursor at which the client comes back, with the reason of the gap, should there be one.
    Return(Cursor, GapReason),
}

/// The news that comes before the messages that memory holds.
enum Pending {
    /// A survey of what is lost of the patterns.
    Survey(Arrival),
    /// The rest of a search, after other tasks have had their turn, which they have had if this is true.
    Search { yielded: bool },
    /// Known since the subscription, and reported by the first read.
    Gap(Gap),
    /// Messages that only the archive holds.
    Backfill(Backfill),
}

impl Subscriber {
    pub(crate) fn new(history: Arc<History>, filters: &[TopicFilter], from: Position, archived: bool) -> Self {
        let registry = history.registry_with(filters);
        let interests = Interests::new(&registry, filters);
        drop(registry);
        // From here on every message wakes this subscriber, so the position can be taken.
        let progress = Progress { position: history.head(), ignored_evictions: 0 };
        let reach = if archived { Reach::Archive { ignored_evictions: Some(0) } } else { Reach::Memory };
        let mut subscriber = Self { history, interests, progress, reach, joined: progress.position, pending: None };
        let arrival = match from {
            Position::Now => Arrival::InMemory,
            Position::Earliest if archived && subscriber.begins_with_oldest() => {
                subscriber.progress.position = 0;
                Arrival::Earliest
            }
            // Only later losses are reported to a client that asks for what is held.
            Position::Earliest => {
                subscriber.progress.ignored_evictions = subscriber.history.evictions();
                subscriber.move_before_oldest(0);
                Arrival::InMemory
            }
            Position::At(since) if !subscriber.history.knows(since) => {
                subscriber.progress.position = 0;
                Arrival::Return(since, GapReason::Epoch)
            }
            Position::At(since) => {
                subscriber.progress.position = since.offset;
                Arrival::Return(since, GapReason::Expired)
            }
        };
        if subscriber.may_have_lost() {
            subscriber.history.advance_survey();
        }
        if subscriber.may_have_lost() {
            subscriber.pending = Some(Box::new(Pending::Survey(arrival)));
        } else {
            subscriber.arrive(arrival);
        }
        subscriber.note_position();
        subscriber
    }

    /// The position: everything up to it has been read. While a gap is unread, this is the client's position before the
    /// gap, so that a client which keeps this cursor and is cut off gets the gap when it comes back.
    pub fn cursor(&self) -> Cursor {
        match self.pending.as_deref() {
            Some(Pending::Gap(gap)) => gap.since,
            Some(Pending::Survey(Arrival::Return(since, _))) => *since,
            _ => self.history.cursor(self.progress.position),
        }
    }

    /// The topics and patterns that are followed, in no order.
    pub fn filters(&self) -> Vec<TopicFilter> {
        self.interests.filters()
    }

    /// The number of messages that memory holds and that are not read. One that several patterns match counts several times.
    pub fn lag(&self) -> usize {
        let unread = |interest: &Interest| interest.window().ask(|window| window.count_after(self.progress.position));
        self.interests.as_slice().iter().map(unread).sum()
    }

    /// Returns whether a read has only begun to look through what memory holds. It goes on once this has
    /// [changed](Subscriber::changed), which takes other tasks' turns and nothing else.
    pub fn is_searching(&self) -> bool {
        matches!(self.pending.as_deref(), Some(Pending::Search { .. } | Pending::Survey(_)))
    }

    /// Waits until a read would find something, or would look further for it.
    pub async fn changed(&mut self) {
        poll_fn(|cx| self.poll_changed(cx)).await;
    }

    /// As [`Subscriber::changed`].
    pub fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let seats = self.interests.as_slice().iter().map(Interest::seat);
        match self.pending.as_deref_mut() {
            Some(Pending::Gap(_)) => Poll::Ready(()),
            Some(Pending::Survey(_)) => {
                self.history.advance_survey();
                yield_until(!self.may_have_lost() || self.history.is_replaced(), cx)
            }
            Some(Pending::Search { yielded }) => yield_until(mem::replace(yielded, true), cx),
            Some(Pending::Backfill(backfill)) => {
                let replaced = poll_news(seats, cx, || self.history.is_replaced());
                if replaced.is_ready() { Poll::Ready(()) } else { backfill.poll(cx) }
            }
            None => poll_news(seats, cx, || self.has_news()),
        }
    }

    /// Returns whether something may be lost of the patterns that only a survey can find.
    fn may_have_lost(&self) -> bool {
        self.interests.need_survey() && self.history.ring.read().losses().concerning(self.progress).is_some()
    }

    /// Begins with the gap or with older messages, if the client misses something that memory does not hold.
    fn arrive(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::InMemory => {}
            Arrival::Earliest => {
                // If memory has lost nothing, it holds the oldest message.
                if self.lost_through().is_some() {
                    self.reach = Reach::Archive { ignored_evictions: None };
                    self.begin_backfill(GapReason::Expired);
                }
            }
            Arrival::Return(since, reason) => {
                let misses = reason == GapReason::Epoch || self.lost_through().is_some();
                if misses && (reason == GapReason::Epoch || !self.begin_backfill(reason)) {
                    let gap = self.fall_forward(reason, since);
                    self.pending = Some(Box::new(Pending::Gap(gap)));
                }
            }
        }
    }

    /// Shows to the hub how far the subscriber has read.
    fn note_position(&self) {
        self.interests.as_slice().iter().for_each(|interest| interest.seat().note(self.progress.position));
    }

    fn has_news(&self) -> bool {
        let reached = self.interests.last().min(self.history.head());
        reached > self.progress.position || self.history.is_replaced()
    }

    /// Follows the same topics in the history that has taken the place of this one.
    fn move_over(&mut self) {
        let mut history = Arc::clone(&self.history);
        while let Some(successor) = history.successor.get() {
            history = Arc::clone(successor);
        }
        let archived = matches!(self.reach, Reach::Archive { .. });
        // The epoch differs, so this is reported as a gap.
        *self = Self::new(history, &self.interests.filters(), Position::At(self.cursor()), archived);
    }

    /// Begins to read from the archive, if there is one. Returns whether there is.
    fn begin_backfill(&mut self, reason: GapReason) -> bool {
        let Reach::Archive { ignored_evictions } = self.reach else { return false };
        let Some(archive) = &self.history.archive else { return false };
        let from = ArchivePosition { after: self.history.cursor(self.progress.position), ignored_evictions };
        let backfill = Backfill::new(reason, archive.fetch(&self.interests.filters(), from));
        self.pending = Some(Box::new(Pending::Backfill(backfill)));
        true
    }

    fn begins_with_oldest(&self) -> bool {
        self.history.archive.as_ref().is_some_and(|archive| archive.begins_with_oldest())
    }

    /// The offset through which messages after the position may be gone, of one topic or another, or `None`.
    fn lost_through(&self) -> Option<u64> {
        self.interests.lost_through(self.progress)
    }

    /// Moves behind everything that is lost, and returns the gap. With several topics, kept messages of one that are
    /// older than a loss of another are skipped, so that the gap covers all that is missing.
    fn fall_forward(&mut self, reason: GapReason, since: Cursor) -> Gap {
        self.move_before_oldest(self.lost_through().unwrap_or_default());
        Gap { reason, since, cursor: self.history.cursor(self.progress.position) }
    }

    /// Takes a position before the oldest message held after an offset, with topics alone the one just before it.
    fn move_before_oldest(&mut self, after: u64) {
        let head = self.history.head();
        let oldest = self.interests.oldest_after(after, &self.history.ring);
        self.progress.position = oldest.map_or(head, |oldest| head.min(oldest - 1)).max(after);
    }
}

/// Is ready if `done`. Otherwise the task is polled again, after others.
fn yield_until(done: bool, cx: &mut Context<'_>) -> Poll<()> {
    if done {
        return Poll::Ready(());
    }
    // It takes care that timers and sockets have their turn too.
    let _ = pin!(yield_now()).poll(cx);
    Poll::Pending
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        mem::take(&mut self.interests).leave(&self.history.registry);
    }
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber").field("cursor", &self.cursor()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscriber_is_small() {
        assert!(size_of::<Subscriber>() <= 96, "{} bytes", size_of::<Subscriber>());
    }
}
