//! The hub without a network: what a subscriber reads, through `Memory` and through the appender itself.

mod archive;
mod encoding;
mod figures;
mod gap;
mod limits;
mod load;
mod model;
mod order;
mod resume;
mod survey;
mod waking;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use shared::backplane::{Backplane, Memory, Publication};
use shared::cursor::{Cursor, Epoch, Position};
use shared::hub::{Appender, Batch, BatchLimit, Format, HistoryLimits, Hub, Subscriber, Wake};
use shared::message::{Draft, Message};
use shared::moment::Moment;
use shared::publisher::PublisherId;
use shared::timestamp::Timestamp;
use shared::topic::TopicFilter;

const ROOMY: HistoryLimits = HistoryLimits { messages: 100_000, age: Duration::from_secs(3600), bytes: 1 << 30 };
const ALL: BatchLimit = BatchLimit { messages: usize::MAX, bytes: usize::MAX };

/// The limits for so many messages per topic.
const fn at_most(messages: usize) -> HistoryLimits {
    HistoryLimits { messages, ..ROOMY }
}

static JSON: Format = Format::new(|message| message.to_json().into());
static TEXT: Format = Format::new(|message| message.text.to_string().into());

fn filters(filters: &[&str]) -> Vec<TopicFilter> {
    filters.iter().map(|filter| filter.parse().unwrap()).collect()
}

fn texts(batch: &Batch) -> Vec<&str> {
    batch.entries.iter().map(|entry| &*entry.message.text).collect()
}

/// The texts of all messages that a subscriber has not read, which are without a gap.
#[track_caller]
fn read_whole(subscriber: &mut Subscriber) -> Vec<String> {
    let batch = subscriber.read(&JSON, ALL);
    assert_eq!((batch.gap, batch.more), (None, false));
    texts(&batch).into_iter().map(str::to_owned).collect()
}

/// The texts of all messages that a subscriber has not read, which may take a long search.
async fn read_to_end(subscriber: &mut Subscriber) -> Vec<String> {
    let mut read = Vec::new();
    loop {
        let batch = subscriber.read(&JSON, ALL);
        assert_eq!(batch.gap, None);
        read.extend(texts(&batch).into_iter().map(str::to_owned));
        if !batch.more {
            return read;
        }
        subscriber.changed().await;
    }
}

#[test]
fn several_topics_come_in_the_order_in_which_they_were_published() {
    let history = History::new(ROOMY);
    for (topic, text) in [("b", "1"), ("a", "2"), ("other", "x"), ("a", "3"), ("c", "4"), ("b", "5")] {
        history.publish(topic, text);
    }
    let mut subscriber = history.follow(&["a", "b", "c"], Position::Earliest);
    assert_eq!(read_whole(&mut subscriber), ["1", "2", "3", "4", "5"]);
}

#[test]
fn a_wildcard_covers_topics_from_before_and_after_the_subscription() {
    let history = History::new(ROOMY);
    history.publish("orders.old", "1");
    let mut one_token = history.follow(&["orders.*"], Position::Earliest);
    let mut the_rest = history.follow(&["orders.>"], Position::Earliest);
    let mut everything = history.follow(&[">"], Position::Earliest);
    for (topic, text) in [("orders.new", "2"), ("orders.new.eu", "3"), ("orders", "4"), ("orders.old", "5")] {
        history.publish(topic, text);
    }
    assert_eq!(read_whole(&mut one_token), ["1", "2", "5"]);
    assert_eq!(read_whole(&mut the_rest), ["1", "2", "3", "5"]);
    assert_eq!(read_whole(&mut everything), ["1", "2", "3", "4", "5"]);
}

#[test]
fn a_message_that_two_filters_match_arrives_once() {
    let history = History::new(ROOMY);
    let mut subscriber = history.follow(&["a.b", "a.*", ">", "a.b"], Position::Now);
    for text in ["1", "2", "3"] {
        history.publish("a.b", text);
    }
    let batch = subscriber.read(&JSON, BatchLimit { messages: 2, ..ALL });
    assert_eq!((texts(&batch), batch.more), (vec!["1", "2"], true));
    assert_eq!(read_whole(&mut subscriber), ["3"]);
}

#[test]
fn a_batch_holds_so_many_messages_and_says_whether_there_are_more() {
    let history = History::new(ROOMY);
    history.publish_all("a", &["1", "2"]);
    history.publish_all("b", &["3", "4", "5"]);
    for topics in [&["a", "b"][..], &["*"]] {
        let mut subscriber = history.follow(topics, Position::Earliest);
        let two = BatchLimit { messages: 2, ..ALL };
        for (expected, more) in [(&["1", "2"][..], true), (&["3", "4"], true), (&["5"], false), (&[], false)] {
            let batch = subscriber.read(&JSON, two);
            assert_eq!((texts(&batch), batch.more), (expected.to_vec(), more), "{topics:?}");
        }
    }
    let exactly = BatchLimit { messages: 5, ..ALL };
    assert!(!history.follow(&["*"], Position::Earliest).read(&JSON, exactly).more, "five of five leave none");
}

#[test]
fn a_batch_holds_so_many_bytes_and_always_a_message() {
    let history = History::new(ROOMY);
    history.publish_all("main", &["1", "2", "3"]);
    let wire = history.follow(&["main"], Position::Earliest).read(&JSON, ALL).entries[0].encoded(&JSON).len();
    for (bytes, expected) in [(2 * wire, 2), (2 * wire - 1, 1), (wire, 1), (1, 1), (0, 1)] {
        let batch = history.follow(&["main"], Position::Earliest).read(&JSON, BatchLimit { bytes, ..ALL });
        assert_eq!((batch.entries.len(), batch.more), (expected, true), "{bytes} bytes");
    }
}

/// A history as a service has it.
struct History {
    memory: Arc<Memory>,
    hub: Hub,
}

impl History {
    fn new(limits: HistoryLimits) -> Self {
        let (memory, hub) = Memory::new(limits, 10);
        Self { memory: Arc::new(memory), hub }
    }

    fn publish(&self, topic: &str, text: &str) -> Cursor {
        self.publish_all(topic, &[text])[0]
    }

    fn publish_all(&self, topic: &str, texts: &[&str]) -> Vec<Cursor> {
        let drafts = texts.iter().map(|text| Draft::text(*text)).collect();
        let publication = Publication::new(topic.parse().unwrap(), drafts, None);
        let receipt = self.memory.publish(publication).now_or_never().expect("memory takes no time").unwrap();
        receipt.each().map(|placed| placed.id).collect()
    }

    fn follow(&self, topics: &[&str], from: Position) -> Subscriber {
        self.hub.subscribe(&filters(topics), from)
    }
}

/// A hub whose appender is in the hands of the test: time and waking are too.
struct Fed {
    hub: Hub,
    appender: Appender,
}

impl Fed {
    fn new(limits: HistoryLimits) -> Self {
        let (hub, appender) = Hub::new(Epoch::new(7), limits);
        Self { hub, appender }
    }

    /// A cursor into this history.
    fn cursor(&self, offset: u64) -> Cursor {
        Cursor { epoch: self.appender.epoch(), offset }
    }

    /// Appends a message that is held since a moment, and leaves the waking to the caller.
    fn append(&mut self, topic: &str, text: &str, at: u64) -> Wake {
        let id = self.cursor(self.appender.last_offset() + 1);
        let (topic, at) = (topic.parse().unwrap(), Timestamp::from_millis(at));
        let since = Moment::from_millis(at.as_millis() as i64);
        self.appender
            .append_held([(Message { id, topic, text: text.into(), event: None, at, traceparent: None }, since)])
    }

    /// Appends a message of a publisher, and leaves the waking to the caller.
    fn append_by(&mut self, publisher: Option<PublisherId>, topic: &str, text: &str) -> Wake {
        let id = self.cursor(self.appender.last_offset() + 1);
        let (topic, at) = (topic.parse().unwrap(), Timestamp::from_millis(0));
        self.appender
            .append_by(publisher, [Message { id, topic, text: text.into(), event: None, at, traceparent: None }])
    }
}
