//! A subscriber that falls out of memory and reads from an archive.

use std::sync::{Arc, Mutex, Weak};
use std::task::Poll;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, pending, ready};
use shared::cursor::{Cursor, Epoch, Position};
use shared::gap::{Gap, GapReason};
use shared::hub::{Appender, Archive, ArchivePosition, BatchLimit, Entry, Fetched, Hub, Subscriber};
use shared::message::Message;
use shared::timestamp::Timestamp;
use shared::topic::TopicFilter;

use super::waking::Bell;
use super::{ALL, JSON, at_most, filters, texts};

/// Holds every message from an offset on: all are of the topic `a`, and their text is their offset.
#[derive(Debug)]
struct Numbers {
    from: u64,
    /// The number of offsets that a page covers.
    page: u64,
    answers: bool,
}

impl Archive for Numbers {
    fn fetch(&self, filters: &[TopicFilter], from: ArchivePosition) -> BoxFuture<'static, Fetched> {
        let after = from.after;
        if !self.answers {
            return pending().boxed();
        }
        if after.offset + 1 < self.from {
            return ready(Fetched::Gone).boxed();
        }
        let through = after.offset + self.page;
        let wanted = filters.iter().any(|filter| filter.matches(&"a".parse().unwrap()));
        let offsets = (after.offset + 1..=through).filter(|_| wanted);
        let entries = offsets.map(|offset| Arc::new(Entry::new(message(offset)))).collect();
        ready(Fetched::Page { entries, through, ignored_evictions: 0 }).boxed()
    }
}

fn message(offset: u64) -> Message {
    let id = Cursor { epoch: Epoch::new(7), offset };
    let text = offset.to_string().into();
    Message { id, topic: "a".parse().unwrap(), text, event: None, at: Timestamp::from_millis(0), traceparent: None }
}

/// Memory for three messages, of which twenty have been.
fn twenty(archive: Numbers) -> (Hub, Appender) {
    filled(Arc::new(archive))
}

fn filled(archive: Arc<dyn Archive>) -> (Hub, Appender) {
    let (hub, mut appender) = Hub::with_archive(Epoch::new(7), at_most(3), Some(archive));
    appender.append((1..=20).map(message)).wake();
    (hub, appender)
}

fn since(offset: u64) -> Position {
    Position::At(Cursor { epoch: Epoch::new(7), offset })
}

#[tokio::test]
async fn what_memory_does_not_hold_comes_from_the_archive_and_then_from_memory() {
    for (topics, most) in [(&["a"][..], 2), (&["*"], 4), (&["a", "b"], 100)] {
        let (hub, mut appender) = twenty(Numbers { from: 1, page: 4, answers: true });
        let mut subscriber = hub.subscribe(&filters(topics), since(2));
        assert_eq!(subscriber.cursor().offset, 2);
        let mut read = Vec::new();
        while read.len() < 20 {
            subscriber.changed().await;
            let batch = subscriber.read(&JSON, BatchLimit { messages: most, ..ALL });
            assert!(batch.gap.is_none() && batch.entries.len() <= most);
            read.extend(texts(&batch).into_iter().map(str::to_owned));
            if read.len() == 18 {
                appender.append((21..=22).map(message)).wake();
            }
        }
        assert_eq!(read, (3..=22).map(|offset: u64| offset.to_string()).collect::<Vec<_>>(), "{topics:?}");
        assert!(subscriber.read(&JSON, ALL).is_empty());
    }
}

/// Pages of ten messages of the topic `a`, which it does not keep itself.
#[derive(Debug, Default)]
struct Pages {
    asked_after: Mutex<Vec<u64>>,
    pages: Mutex<Vec<Weak<[Arc<Entry>]>>>,
}

impl Archive for Pages {
    fn fetch(&self, _: &[TopicFilter], from: ArchivePosition) -> BoxFuture<'static, Fetched> {
        let after = from.after;
        let entries: Arc<[_]> = (1..=10).map(|count| Arc::new(Entry::new(message(after.offset + count)))).collect();
        self.asked_after.lock().unwrap().push(after.offset);
        self.pages.lock().unwrap().push(Arc::downgrade(&entries));
        ready(Fetched::Page { entries, through: after.offset + 10, ignored_evictions: 0 }).boxed()
    }
}

#[tokio::test]
async fn a_subscriber_holds_no_messages_between_two_reads() {
    let archive = Arc::new(Pages::default());
    let (hub, _appender) = filled(archive.clone());
    let mut subscriber = hub.subscribe(&filters(&["a"]), since(2));
    let mut read = Vec::new();
    while read.len() < 18 {
        subscriber.changed().await;
        let limit = BatchLimit { messages: 4, ..ALL };
        let bytes = subscriber.read_encoded(&JSON, limit).bytes;
        let messages = serde_json::Deserializer::from_slice(&bytes).into_iter::<serde_json::Value>();
        read.extend(messages.map(|message| message.unwrap()["text"].as_str().unwrap().parse::<u64>().unwrap()));
        let held = archive.pages.lock().unwrap().iter().map(Weak::strong_count).sum::<usize>();
        // The next page may be on its way.
        assert!(held <= 1, "{held} pages");
        let asked = archive.asked_after.lock().unwrap().len();
        assert!(archive.pages.lock().unwrap()[..asked - 1].iter().all(|page| page.strong_count() == 0));
    }
    assert_eq!(read, (3..=20).collect::<Vec<_>>());
    assert_eq!(*archive.asked_after.lock().unwrap(), [2, 6, 10, 14], "each time from the new position");
}

#[tokio::test]
async fn where_nothing_is_wanted_of_what_is_missing_there_is_no_gap() {
    let (hub, mut appender) = twenty(Numbers { from: 1, page: 50, answers: true });
    appender.lost_through(30).wake();
    let mut subscriber = hub.subscribe(&filters(&["b"]), since(2));
    subscriber.changed().await;
    let batch = subscriber.read(&JSON, ALL);
    assert!(batch.is_empty() && !batch.more);
}

#[tokio::test]
async fn what_the_archive_has_given_up_is_a_gap() {
    let (hub, mut appender) = twenty(Numbers { from: 10, page: 4, answers: true });
    let mut subscriber = hub.subscribe(&filters(&["a"]), since(2));
    assert!(subscriber.read(&JSON, ALL).is_empty(), "it is being fetched");
    subscriber.changed().await;
    let batch = subscriber.read(&JSON, ALL);
    let gap = batch.gap.unwrap();
    assert_eq!((gap.reason, gap.since.offset, gap.cursor.offset), (GapReason::Expired, 2, 17));
    assert_eq!(texts(&batch), ["18", "19", "20"]);

    // A later gap has another reason.
    let mut lagging = hub.subscribe(&filters(&["a"]), since(20));
    appender.append((21..=40).map(message)).wake();
    appender.append((41..=60).map(message)).wake();
    let mut read = Vec::new();
    while read.len() < 40 {
        lagging.changed().await;
        read.extend(texts(&lagging.read(&JSON, ALL)).into_iter().map(str::to_owned));
    }
    assert_eq!(read.first().map(String::as_str), Some("21"));
}

#[test]
fn a_subscriber_that_waits_for_the_archive_gets_a_gap_when_the_history_is_replaced() {
    let (hub, appender) = twenty(Numbers { from: 1, page: 4, answers: false });
    let bell = Arc::new(Bell::default());
    let mut subscriber = hub.subscribe(&filters(&["a"]), since(2));
    let batch = subscriber.read(&JSON, ALL);
    assert!(batch.is_empty() && batch.more);
    assert_eq!(bell.wait(&mut subscriber), Poll::Pending);
    let next = appender.renew(Epoch::new(8));
    hub.replace(&next).wake();
    assert!(bell.rang());
    assert_eq!(bell.wait(&mut subscriber), Poll::Ready(()));
    let gap = subscriber.read(&JSON, ALL).gap.unwrap();
    assert_eq!((gap.reason, gap.since.offset, gap.cursor), (GapReason::Epoch, 2, hub.head()));
}

#[test]
fn a_subscriber_in_memory_never_waits() {
    let (hub, _feed) = twenty(Numbers { from: 1, page: 4, answers: false });
    let mut subscriber = hub.subscribe_in_memory(&filters(&["a"]), since(2));
    let batch = subscriber.read(&JSON, ALL);
    assert_eq!((batch.gap.map(|gap| gap.reason), texts(&batch)), (Some(GapReason::Expired), vec!["18", "19", "20"]));
}

/// Holds the messages from an offset on, which it has given up by one eviction each.
#[derive(Debug)]
struct Evicting {
    from: Mutex<u64>,
    last: u64,
}

impl Archive for Evicting {
    fn begins_with_oldest(&self) -> bool {
        true
    }

    fn fetch(&self, _: &[TopicFilter], from: ArchivePosition) -> BoxFuture<'static, Fetched> {
        let lost = *self.from.lock().unwrap() - 1;
        let ignored_evictions = from.ignored_evictions.unwrap_or(lost);
        if lost > from.after.offset.max(ignored_evictions) {
            return ready(Fetched::Lost { through: lost }).boxed();
        }
        let offsets = from.after.offset.max(lost) + 1..=self.last.min(from.after.offset.max(lost) + 3);
        let through = *offsets.end();
        let entries = offsets.map(|offset| Arc::new(Entry::new(message(offset)))).collect();
        ready(Fetched::Page { entries, through, ignored_evictions }).boxed()
    }
}

/// Reads up to the twentieth message: the gap that comes first, and the messages.
async fn read_to_the_end(subscriber: &mut Subscriber) -> (Option<Gap>, Vec<String>) {
    let (mut gap, mut read) = (None, Vec::new());
    while subscriber.cursor().offset < 20 {
        subscriber.changed().await;
        let batch = subscriber.read(&JSON, ALL);
        assert!(batch.gap.is_none() || (gap.is_none() && read.is_empty()), "one gap, and before all messages");
        gap = gap.or(batch.gap);
        read.extend(texts(&batch).into_iter().map(str::to_owned));
    }
    (gap, read)
}

fn numbers(from: u64) -> Vec<String> {
    (from..=20).map(|offset| offset.to_string()).collect()
}

#[tokio::test]
async fn the_earliest_message_is_the_oldest_of_an_archive_that_has_it() {
    for (topics, from) in [(&["a"][..], 1), (&["a"], 6), (&["*"], 6), (&["a", "b"], 20)] {
        let (hub, _appender) = filled(Arc::new(Evicting { from: Mutex::new(from), last: 20 }));
        let mut subscriber = hub.subscribe(&filters(topics), Position::Earliest);
        assert_eq!(read_to_the_end(&mut subscriber).await, (None, numbers(from)), "{topics:?}");
        let mut in_memory = hub.subscribe_in_memory(&filters(topics), Position::Earliest);
        assert_eq!(texts(&in_memory.read(&JSON, ALL)), ["18", "19", "20"]);
    }
}

#[tokio::test]
async fn where_memory_has_everything_the_archive_is_not_asked() {
    let (hub, mut appender) = Hub::with_archive(Epoch::new(7), at_most(3), Some(Arc::new(Pages::default())));
    appender.append((1..=3).map(message)).wake();
    let mut subscriber = hub.subscribe(&filters(&["a"]), Position::Earliest);
    assert_eq!(texts(&subscriber.read(&JSON, ALL)), ["1", "2", "3"]);
}

#[tokio::test]
async fn a_loss_that_the_archive_knows_is_reported_exactly() {
    let archive = Arc::new(Evicting { from: Mutex::new(6), last: 20 });
    let (hub, _appender) = filled(archive.clone());
    let mut subscriber = hub.subscribe(&filters(&["a"]), since(2));
    let (gap, read) = read_to_the_end(&mut subscriber).await;
    let gap = gap.unwrap();
    assert_eq!((gap.reason, gap.since.offset, gap.cursor.offset), (GapReason::Expired, 2, 5));
    assert_eq!(read, numbers(6));

    // A loss after the first page concerns whoever asked for the earliest too.
    let mut subscriber = hub.subscribe(&filters(&["a"]), Position::Earliest);
    subscriber.changed().await;
    assert_eq!(texts(&subscriber.read(&JSON, ALL)), ["6", "7", "8"]);
    // The next page is there already.
    *archive.from.lock().unwrap() = 14;
    subscriber.changed().await;
    assert_eq!(texts(&subscriber.read(&JSON, ALL)), ["9", "10", "11"]);
    subscriber.changed().await;
    let gap = subscriber.read(&JSON, ALL).gap.unwrap();
    assert_eq!((gap.reason, gap.since.offset, gap.cursor.offset), (GapReason::Expired, 11, 13));
    assert_eq!(read_to_the_end(&mut subscriber).await, (None, numbers(14)));
}
