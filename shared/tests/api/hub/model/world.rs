//! A hub and the model of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use shared::cursor::{Cursor, Epoch, Position};
use shared::gap::GapReason;
use shared::hub::{Batch, BatchLimit, EncodedBatch, HistoryLimits};
use shared::moment::Moment;
use shared::topic::{Topic, TopicFilter};

use super::follower::{Follower, Published};
use super::format::FORMATS;
use super::step::{AGE, FILTERS, From, Step, TOPICS};
use crate::hub::{ALL, Fed, filters};

pub(super) struct World {
    pub(super) fed: Fed,
    all: Vec<Published>,
    now: u64,
    followers: Vec<Follower>,
    epochs: u64,
    /// The most messages in a topic.
    limit: usize,
    /// Up to here, any topic may have lost something.
    lost_through: u64,
    /// A topic has been dropped. The losses of such topics are not kept apart by topic.
    forgotten: bool,
}

impl World {
    pub(super) fn new(limit: usize) -> Self {
        let limits = HistoryLimits { messages: limit, age: Duration::from_millis(AGE), bytes: usize::MAX };
        let (fed, all, followers) = (Fed::new(limits), Vec::new(), Vec::new());
        Self { fed, all, now: 1000, followers, epochs: 1000, limit, lost_through: 0, forgotten: false }
    }

    fn publish(&mut self, topic: &str) {
        self.fed.append(topic, "m", self.now).wake();
        let topic: Topic = topic.parse().unwrap();
        let (offset, topic) = (self.all.len() as u64 + 1, Some(topic));
        self.all.push(Published { offset, topic: topic.clone(), at: self.now, held: true, lost: false });
        let held: Vec<_> = self.all.iter_mut().filter(|message| message.held && message.topic == topic).collect();
        let beyond = held.len().saturating_sub(self.limit);
        held.into_iter().take(beyond).for_each(|message| message.held = false);
    }

    fn pass(&mut self, time: u64) {
        self.now += time;
        self.fed.appender.evict_aged(Moment::from_millis(self.now as i64));
        self.all.iter_mut().filter(|message| message.at + AGE < self.now).for_each(|message| message.held = false);
    }

    fn lose(&mut self, count: u64) {
        let head = self.all.len() as u64;
        self.lost_through = head + count;
        self.fed.appender.lost_through(head + count).wake();
        let never = |offset| Published { offset, topic: None, at: 0, held: false, lost: true };
        self.all.extend((head + 1..=head + count).map(never));
        self.all.iter_mut().for_each(|message| message.lost = true);
    }

    fn lose_in(&mut self, topic: &str) {
        let topic: Topic = topic.parse().unwrap();
        let of_topic = self.all.iter_mut().filter(|message| message.topic.as_ref() == Some(&topic));
        if let Some(last) = of_topic.map(|message| (message.lost = true, message.offset).1).last() {
            drop(self.fed.appender.lost_in(&topic, last));
            // Nobody is woken for it.
            self.followers.iter_mut().for_each(|follower| follower.waiting = false);
        }
    }

    fn replace(&mut self, messages: usize) {
        self.epochs += 1;
        self.fed.appender = self.fed.appender.renew(Epoch::new(self.epochs));
        self.all.clear();
        (self.lost_through, self.forgotten) = (0, false);
        (0..messages).for_each(|message| self.publish(TOPICS[message % TOPICS.len()]));
        self.fed.hub.replace(&self.fed.appender).wake();
        for follower in &mut self.followers {
            follower.ignored.clear();
            (follower.position, follower.forgiven) = (0, 0);
            (follower.other_history, follower.stale) = (true, true);
        }
    }

    fn follow(&mut self, filter: usize, from: From) {
        let (head, epoch) = (self.all.len() as u64, Epoch::new(99));
        let position = match from {
            From::Now => Position::Now,
            From::Earliest => Position::Earliest,
            From::Back(back) => Position::At(self.fed.cursor(head.saturating_sub(back))),
            From::Future => Position::At(self.fed.cursor(head + 1)),
            From::Foreign => Position::At(Cursor { epoch, offset: 1 }),
        };
        let mut follower = Follower {
            subscriber: self.fed.hub.subscribe(&filters(FILTERS[filter]), position),
            filters: filters(FILTERS[filter]),
            bell: Arc::default(),
            waiting: false,
            position: match position {
                Position::Now => head,
                Position::At(cursor) if matches!(from, From::Back(_)) => cursor.offset,
                _ => 0,
            },
            ignored: BTreeSet::new(),
            forgiven: if matches!(from, From::Earliest) { head } else { 0 },
            other_history: matches!(from, From::Future | From::Foreign),
            stale: false,
        };
        if matches!(from, From::Earliest) {
            follower.ignored.extend(follower.missed(&self.all));
        }
        self.followers.push(follower);
    }

    fn read(&mut self, who: usize, most: usize, format: usize, encoded: bool) {
        let Self { all, followers, lost_through, forgotten, .. } = self;
        let (format, offsets_of) = FORMATS[format];
        let follower = &mut followers[who];
        let (next, missed) = (follower.next(all), follower.missed(all));
        let limit = BatchLimit { messages: most, ..ALL };
        let (gap, read, tally, more) = if encoded {
            let EncodedBatch { gap, bytes, tally, more } = follower.subscriber.read_encoded(format, limit);
            (gap, offsets_of(&bytes), tally, more)
        } else {
            let Batch { gap, entries, tally, more } = follower.subscriber.read(format, limit);
            (gap, entries.iter().map(|entry| entry.message.id.offset).collect::<Vec<_>>(), tally, more)
        };
        assert_eq!(tally.messages as usize, read.len());
        assert!(tally.replayed <= tally.messages && (tally.replayed < tally.messages) == tally.appended.is_some());

        assert!(gap.is_some() || missed.is_empty(), "{missed:?} are not reported");
        let mut after = follower.position;
        if let Some(gap) = gap {
            assert_eq!(gap.reason == GapReason::Epoch, follower.other_history);
            let right = follower.other_history || *forgotten || follower.position < *lost_through;
            assert!(right || follower.may_miss(all), "{gap:?} without a loss");
            after = gap.cursor.offset;
            assert!(missed.iter().all(|missed| *missed <= after), "{gap:?} leaves out some of {missed:?}");
            // If any of the messages that may be gone is gone by now, all of them are passed over.
            let may_be_gone = all.iter().filter(|message| message.lost).map(|message| message.offset);
            let lost = missed.iter().copied().chain(may_be_gone).max().unwrap_or_default();
            assert!(next.iter().all(|held| *held <= lost || *held > after), "{gap:?} leads past {next:?}");
        }
        let next: Vec<u64> = next.into_iter().filter(|offset| *offset > after).collect();
        assert_eq!(read, next[..most.min(next.len())], "what is held, in order, once");
        assert_eq!(more, next.len() > most);
        (follower.other_history, follower.stale) = (false, false);
        follower.position = if more { read[read.len() - 1] } else { all.len() as u64 };
        assert_eq!(follower.subscriber.cursor().offset, follower.position);
        if !more {
            assert!(follower.bell.wait(&mut follower.subscriber).is_pending(), "nothing is left to read");
        }
    }

    pub(super) fn take(&mut self, step: &Step) {
        let count = self.followers.len();
        match *step {
            Step::Publish { topic, times } => (0..times).for_each(|_| self.publish(TOPICS[topic])),
            Step::Pass(time) => self.pass(time),
            Step::Follow { filter, from } => self.follow(filter, from),
            Step::Read { who, most, format, encoded } if count > 0 => self.read(who % count, most, format, encoded),
            Step::Lose(count) => self.lose(count),
            Step::LoseIn { topic } => self.lose_in(TOPICS[topic]),
            Step::Replace { messages } => self.replace(messages),
            Step::Leave { who } if count > 0 => drop(self.followers.swap_remove(who % count)),
            Step::Read { .. } | Step::Leave { .. } => {}
        }
        for follower in &mut self.followers {
            let news = follower.has_news(&self.all);
            assert!(!(news && follower.waiting) || follower.bell.rang(), "waits although there is news");
            follower.waiting = follower.bell.wait(&mut follower.subscriber).is_pending();
            assert!(!(news && follower.waiting), "does not see the news");
        }
    }

    /// Notes whether a topic has been dropped.
    pub(super) fn note_forgotten(&mut self) {
        let kept = self.kept();
        let mut topics = self.all.iter().filter_map(|message| message.topic.as_ref());
        self.forgotten |= topics.any(|topic| !kept.contains(topic));
    }

    /// Topics in use: those with messages, and those that somebody follows by name.
    pub(super) fn kept(&self) -> BTreeSet<Topic> {
        let held = self.all.iter().filter(|message| message.held).filter_map(|message| message.topic.clone());
        let moved = self.followers.iter().filter(|follower| !follower.stale);
        let followed = moved.flat_map(|follower| &follower.filters).filter_map(|filter| match filter {
            TopicFilter::Exact(topic) => Some(topic.clone()),
            TopicFilter::Pattern(_) => None,
        });
        held.chain(followed).collect()
    }
}
