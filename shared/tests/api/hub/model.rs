//! A hub against a naive model of it: a list of all messages that there ever were.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use shared::cursor::{Cursor, Epoch, Position};
use shared::gap::GapReason;
use shared::hub::{Batch, BatchLimit, EncodedBatch, Format, HistoryLimits, Subscriber};
use shared::timestamp::Timestamp;
use shared::topic::{Topic, TopicFilter};

use super::waking::Bell;
use super::{ALL, Fed, JSON, filters};

const TOPICS: [&str; 5] = ["a", "a.b", "a.c", "d", "d.b"];
const FILTERS: [&[&str]; 14] = [
    &["a"],
    &["d"],
    &["a", "d"],
    &["a.*"],
    &[">"],
    &["a.>", "d"],
    &["a.b", "a.*"],
    &["*", "never"],
    &["a.b", ">"],
    &["*.b", "a.>"],
    &["d.b", "a.c", "*.b"],
    &["*.*", "a", "a.*"],
    &["a.b", "a.b"],
    &["d.b"],
];
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
        /// Index of the format.
        format: usize,
        /// As bytes, not as messages.
        encoded: bool,
    },
    Leave {
        who: usize,
    },
    /// So many messages never come, and everything before may be gone too.
    Lose(u64),
    /// What there has been of a topic may be gone.
    LoseIn {
        topic: usize,
    },
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
        1 => (0..TOPICS.len(), 1..80_usize).prop_map(|(topic, times)| Step::Publish { topic, times }),
        1 => (0..2 * AGE).prop_map(Step::Pass),
        2 => (0..FILTERS.len(), from).prop_map(|(filter, from)| Step::Follow { filter, from }),
        4 => (any::<usize>(), prop_oneof![1..6_usize, 1..100_usize], 0..FORMATS.len(), any::<bool>())
            .prop_map(|(who, most, format, encoded)| Step::Read { who, most, format, encoded }),
        1 => any::<usize>().prop_map(|who| Step::Leave { who }),
        1 => (0..3_u64).prop_map(Step::Lose),
        1 => (0..TOPICS.len()).prop_map(|topic| Step::LoseIn { topic }),
        1 => (0..6_usize).prop_map(|messages| Step::Replace { messages }),
    ]
}

static LINE: Format = Format::new(|message| format!("{}\n", message.id.offset).into());

/// Formats, and the offsets of messages that are encoded in them.
type Decode = fn(&[u8]) -> Vec<u64>;

const FORMATS: [(&Format, Decode); 2] = [(&JSON, offsets_of_json), (&LINE, offsets_of_lines)];

fn offsets_of_json(bytes: &[u8]) -> Vec<u64> {
    let offset_of = |message: serde_json::Result<serde_json::Value>| {
        let cursor: Cursor = message.unwrap()["id"].as_str().unwrap().parse().unwrap();
        cursor.offset
    };
    serde_json::Deserializer::from_slice(bytes).into_iter().map(offset_of).collect()
}

fn offsets_of_lines(bytes: &[u8]) -> Vec<u64> {
    std::str::from_utf8(bytes).unwrap().lines().map(|line| line.parse().unwrap()).collect()
}

struct Published {
    offset: u64,
    /// `None` for what never came: it can have been of any.
    topic: Option<Topic>,
    at: u64,
    held: bool,
    /// It may be gone, be it held or not.
    lost: bool,
}

struct Follower {
    subscriber: Subscriber,
    filters: Vec<TopicFilter>,
    bell: Arc<Bell>,
    waiting: bool,
    position: u64,
    /// Offsets of losses from before, which do not concern a follower that begins at the earliest.
    ignored: BTreeSet<u64>,
    /// Messages up to here that were held and counted as lost do not concern it either, as long as they are held.
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
            false => !self.ignored.contains(&message.offset),
        };
        let missed = all.iter().filter(|message| self.concerns(message)).filter(is_missed);
        missed.map(|message| message.offset).collect()
    }

    /// A gap is right: something that it follows is gone, or may be.
    fn may_miss(&self, all: &[Published]) -> bool {
        let may_be_gone =
            |message: &Published| message.lost || (!message.held && !self.ignored.contains(&message.offset));
        all.iter().any(|message| self.concerns(message) && may_be_gone(message))
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
    /// The most messages in a topic.
    limit: usize,
    /// Up to here, any topic may have lost something.
    lost_through: u64,
    /// A topic has been dropped. The losses of such topics are not kept apart by topic.
    forgotten: bool,
}

impl World {
    fn new(limit: usize) -> Self {
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
        self.fed.appender.evict_aged(Timestamp::from_millis(self.now));
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
            self.fed.appender.lost_in(&topic, last);
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
        let (gap, read, more) = if encoded {
            let EncodedBatch { gap, bytes, more } = follower.subscriber.read_encoded(format, limit);
            (gap, offsets_of(&bytes), more)
        } else {
            let Batch { gap, entries, more } = follower.subscriber.read(format, limit);
            (gap, entries.iter().map(|entry| entry.message.id.offset).collect::<Vec<_>>(), more)
        };

        assert!(gap.is_some() || missed.is_empty(), "{missed:?} are not reported");
        let mut after = follower.position;
        if let Some(gap) = gap {
            assert_eq!(gap.reason == GapReason::Epoch, follower.other_history);
            let right = follower.other_history || *forgotten || follower.position < *lost_through;
            assert!(right || follower.may_miss(all), "{gap:?} without a loss");
            after = gap.cursor.offset;
            assert!(missed.iter().all(|missed| *missed <= after), "{gap:?} leaves out some of {missed:?}");
            // Where a part of what may be gone is gone by now, all of it is passed over.
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

    fn take(&mut self, step: &Step) {
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
    fn note_forgotten(&mut self) {
        let kept = self.kept();
        let mut topics = self.all.iter().filter_map(|message| message.topic.as_ref());
        self.forgotten |= topics.any(|topic| !kept.contains(topic));
    }

    /// Topics in use: those with messages, and those that somebody follows by name.
    fn kept(&self) -> BTreeSet<Topic> {
        let held = self.all.iter().filter(|message| message.held).filter_map(|message| message.topic.clone());
        let moved = self.followers.iter().filter(|follower| !follower.stale);
        let followed = moved.flat_map(|follower| &follower.filters).filter_map(|filter| match filter {
            TopicFilter::Exact(topic) => Some(topic.clone()),
            TopicFilter::Pattern(_) => None,
        });
        held.chain(followed).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_a_subscriber_gets_what_is_held_and_a_gap_for_what_is_not(
        limit in prop_oneof![Just(3_usize), 1..100_usize],
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut world = World::new(limit);
        for step in &steps {
            world.take(step);
            assert_eq!(world.fed.hub.topics(), world.kept().len());
            world.note_forgotten();
        }
    }
}
