//! A hub against a naive model of it: a list of all messages that there ever were.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use shared::cursor::{Cursor, Epoch, Position};
use shared::gap::GapReason;
use shared::hub::{Batch, BatchLimit, EncodedBatch, HistoryLimits, Subscriber};
use shared::timestamp::Timestamp;
use shared::topic::{Topic, TopicFilter};

use super::waking::Bell;
use super::{ALL, Fed, JSON, filters};

const TOPICS: [&str; 4] = ["a", "a.b", "a.c", "d"];
const FILTERS: [&[&str]; 8] =
    [&["a"], &["d"], &["a", "d"], &["a.*"], &[">"], &["a.>", "d"], &["a.b", "a.*"], &["*", "never"]];
const HELD: usize = 3;
const AGE: u64 = 100;

#[derive(Debug, Clone, Copy)]
enum From {
    Now,
    Earliest,
    /// This far back from the end.
    Back(u64),
    Future,
    Foreign,
}

#[derive(Debug, Clone)]
enum Step {
    Publish {
        topic: usize,
        times: usize,
    },
    Pass(u64),
    Follow {
        filter: usize,
        from: From,
    },
    Read {
        who: usize,
        most: usize,
        /// As bytes, not as messages.
        wire: bool,
    },
    Leave {
        who: usize,
    },
    /// So many messages never come, and everything before may be gone too.
    Lose(u64),
    /// Another history, with so many messages, takes the place of this one.
    Replace {
        messages: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let from = prop_oneof![
        Just(From::Now),
        Just(From::Earliest),
        (0..20_u64).prop_map(From::Back),
        Just(From::Future),
        Just(From::Foreign),
    ];
    prop_oneof![
        4 => (0..TOPICS.len(), 1..6_usize).prop_map(|(topic, times)| Step::Publish { topic, times }),
        1 => (0..2 * AGE).prop_map(Step::Pass),
        2 => (0..FILTERS.len(), from).prop_map(|(filter, from)| Step::Follow { filter, from }),
        4 => (any::<usize>(), 1..6_usize, any::<bool>()).prop_map(|(who, most, wire)| Step::Read { who, most, wire }),
        1 => any::<usize>().prop_map(|who| Step::Leave { who }),
        1 => (0..3_u64).prop_map(Step::Lose),
        1 => (0..6_usize).prop_map(|messages| Step::Replace { messages }),
    ]
}

/// The offset in a message's bytes.
fn offset_of(message: serde_json::Result<serde_json::Value>) -> u64 {
    let cursor: Cursor = message.unwrap()["id"].as_str().unwrap().parse().unwrap();
    cursor.offset
}

struct Published {
    offset: u64,
    /// `None` for what never came: it can have been of any.
    topic: Option<Topic>,
    at: u64,
    held: bool,
    /// Taken for lost, be it held or not.
    lost: bool,
}

struct Follower {
    subscriber: Subscriber,
    filters: Vec<TopicFilter>,
    bell: Arc<Bell>,
    waiting: bool,
    position: u64,
    /// Offsets of losses from before, which are no concern of who begins at the earliest.
    settled: BTreeSet<u64>,
    /// What was held and taken for lost, up to here, is no concern either as long as it is held.
    forgiven: u64,
    other_history: bool,
    /// The history that it follows has been replaced, and it does not know yet.
    stale: bool,
}

impl Follower {
    fn concerns(&self, message: &Published) -> bool {
        let matches = |filter: &TopicFilter| message.topic.as_ref().is_none_or(|topic| filter.matches(topic));
        message.offset > self.position && self.filters.iter().any(matches)
    }

    fn next(&self, all: &[Published]) -> Vec<u64> {
        all.iter().filter(|message| message.held && self.concerns(message)).map(|message| message.offset).collect()
    }

    fn missed(&self, all: &[Published]) -> Vec<u64> {
        let is_missed = |message: &&Published| match message.held {
            true => message.lost && message.offset > self.forgiven,
            false => !self.settled.contains(&message.offset),
        };
        let missed = all.iter().filter(|message| self.concerns(message)).filter(is_missed);
        missed.map(|message| message.offset).collect()
    }

    fn has_news(&self, all: &[Published]) -> bool {
        self.other_history || !self.next(all).is_empty() || !self.missed(all).is_empty()
    }
}

struct World {
    fed: Fed,
    all: Vec<Published>,
    now: u64,
    followers: Vec<Follower>,
    epochs: u64,
}

impl World {
    fn new() -> Self {
        let limits = HistoryLimits { messages: HELD, age: Duration::from_millis(AGE), bytes: usize::MAX };
        Self { fed: Fed::new(limits), all: Vec::new(), now: 1000, followers: Vec::new(), epochs: 1000 }
    }

    fn publish(&mut self, topic: &str) {
        self.fed.append(topic, "m", self.now).wake();
        let topic: Topic = topic.parse().unwrap();
        let (offset, topic) = (self.all.len() as u64 + 1, Some(topic));
        self.all.push(Published { offset, topic: topic.clone(), at: self.now, held: true, lost: false });
        let held: Vec<_> = self.all.iter_mut().filter(|message| message.held && message.topic == topic).collect();
        let beyond = held.len().saturating_sub(HELD);
        held.into_iter().take(beyond).for_each(|message| message.held = false);
    }

    fn pass(&mut self, time: u64) {
        self.now += time;
        self.fed.appender.evict_aged(Timestamp::from_millis(self.now));
        self.all.iter_mut().filter(|message| message.at + AGE < self.now).for_each(|message| message.held = false);
    }

    fn lose(&mut self, count: u64) {
        let head = self.all.len() as u64;
        self.fed.appender.lost_through(head + count).wake();
        let never = |offset| Published { offset, topic: None, at: 0, held: false, lost: true };
        self.all.extend((head + 1..=head + count).map(never));
        self.all.iter_mut().for_each(|message| message.lost = true);
    }

    fn replace(&mut self, messages: usize) {
        self.epochs += 1;
        self.fed.appender = self.fed.appender.renew(Epoch::new(self.epochs));
        self.all.clear();
        (0..messages).for_each(|message| self.publish(TOPICS[message % TOPICS.len()]));
        self.fed.hub.replace(&self.fed.appender).wake();
        for follower in &mut self.followers {
            follower.settled.clear();
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
            settled: BTreeSet::new(),
            forgiven: if matches!(from, From::Earliest) { head } else { 0 },
            other_history: matches!(from, From::Future | From::Foreign),
            stale: false,
        };
        if matches!(from, From::Earliest) {
            follower.settled.extend(follower.missed(&self.all));
        }
        self.followers.push(follower);
    }

    fn read(&mut self, who: usize, most: usize, wire: bool) {
        let Self { all, followers, .. } = self;
        let follower = &mut followers[who];
        let (next, missed) = (follower.next(all), follower.missed(all));
        let limit = BatchLimit { messages: most, ..ALL };
        let (told, read, more) = if wire {
            let EncodedBatch { gap, bytes, more } = follower.subscriber.read_encoded(&JSON, limit);
            (gap, serde_json::Deserializer::from_slice(&bytes).into_iter().map(offset_of).collect(), more)
        } else {
            let Batch { gap, entries, more } = follower.subscriber.read(&JSON, limit);
            (gap, entries.iter().map(|entry| entry.message.id.offset).collect::<Vec<_>>(), more)
        };

        assert!(told.is_some() || missed.is_empty(), "not told of {missed:?}");
        let mut after = follower.position;
        if let Some(gap) = told {
            assert_eq!(gap.reason == GapReason::Epoch, follower.other_history);
            let any_loss = all.iter().any(|message| !message.held || message.lost);
            assert!(follower.other_history || any_loss, "a gap without any loss");
            after = gap.cursor.offset;
            assert!(missed.iter().all(|missed| *missed <= after), "{gap:?} leaves out some of {missed:?}");
            // Where a part of what is taken for lost is gone by now, all of it is passed over.
            let taken = all.iter().filter(|message| message.lost).map(|message| message.offset);
            let lost = missed.iter().copied().chain(taken).max().unwrap_or_default();
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

    fn take(&mut self, step: &Step) {
        let count = self.followers.len();
        match *step {
            Step::Publish { topic, times } => (0..times).for_each(|_| self.publish(TOPICS[topic])),
            Step::Pass(time) => self.pass(time),
            Step::Follow { filter, from } => self.follow(filter, from),
            Step::Read { who, most, wire } if count > 0 => self.read(who % count, most, wire),
            Step::Lose(count) => self.lose(count),
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

    /// Topics in use: those with messages, and those that somebody follows by name.
    fn topics(&self) -> usize {
        let held = self.all.iter().filter(|message| message.held).filter_map(|message| message.topic.clone());
        let moved = self.followers.iter().filter(|follower| !follower.stale);
        let followed = moved.flat_map(|follower| &follower.filters).filter_map(|filter| match filter {
            TopicFilter::Exact(topic) => Some(topic.clone()),
            TopicFilter::Pattern(_) => None,
        });
        held.chain(followed).collect::<BTreeSet<_>>().len()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_a_subscriber_gets_what_is_held_and_is_told_of_what_is_not(
        steps in prop::collection::vec(step(), 1..60)
    ) {
        let mut world = World::new();
        for step in &steps {
            world.take(step);
            assert_eq!(world.fed.hub.topics(), world.topics());
        }
    }
}
