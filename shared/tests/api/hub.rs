//! The hub without a network: what a subscriber reads, through `Memory` and through the appender itself.

mod archive;
mod encoding;
mod gap;
mod limits;
mod load;
mod model;
mod order;
mod resume;
mod waking;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use shared::backplane::{Backplane, Memory, Publication};
use shared::cursor::{Cursor, Epoch, Position};
use shared::hub::{Appender, Batch, BatchLimit, Format, HistoryLimits, Hub, Subscriber, Wake};
use shared::message::{Draft, Message};
use shared::moment::Moment;
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
        let publication = Publication { topic: topic.parse().unwrap(), drafts, key: None };
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
        self.appender.append_held([(Message { id, topic, text: text.into(), event: None, at }, since)])
    }
}
