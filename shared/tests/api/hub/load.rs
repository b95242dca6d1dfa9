//! Many publishers and subscribers at once, on several threads.

use std::sync::Arc;

use shared::cursor::{Cursor, Position};
use shared::hub::{BatchLimit, Subscriber};
use testkit::soon;
use tokio::task::JoinSet;

use super::{ALL, History, JSON, ROOMY, at_most};

const TOPICS: [&str; 5] = ["a", "b", "c.x", "c.y", "c.y.z"];
const PUBLISHERS: usize = 4;
const PUBLICATIONS: usize = 400;
const END: &str = "end";

/// Filters, and which of [`TOPICS`] they match.
const FILTERS: [(&[&str], &[usize]); 7] = [
    (&["a"], &[0]),
    (&["b", "a"], &[0, 1]),
    (&["c.*"], &[2, 3]),
    (&["c.>"], &[2, 3, 4]),
    (&[">"], &[0, 1, 2, 3, 4]),
    (&["c.*", "c.y", "b"], &[1, 2, 3]),
    (&["*", "never-used"], &[0, 1]),
];

async fn publish(history: Arc<History>) -> Vec<(u64, usize)> {
    let mut published = Vec::new();
    for _ in 0..PUBLICATIONS {
        let topic = fastrand::usize(..TOPICS.len());
        let ids = history.publish_all(TOPICS[topic], &["m"; 3][..fastrand::usize(1..=3)]);
        published.extend(ids.iter().map(|id| (id.offset, topic)));
        if fastrand::u8(..) < 64 {
            tokio::task::yield_now().await;
        }
    }
    published
}

/// Follows topics to the end of each, now and then leaving and coming back, and returns where it began and what it got.
async fn follow(history: Arc<History>, filter: usize) -> (usize, u64, Vec<u64>) {
    let (topics, matching) = FILTERS[filter];
    let from = if fastrand::bool() { Position::Now } else { Position::Earliest };
    let mut subscriber = history.follow(topics, from);
    let (start, mut ends, mut got) = (subscriber.cursor().offset, 0, Vec::new());
    while ends < matching.len() {
        subscriber.changed().await;
        let batch = subscriber.read(&JSON, BatchLimit { messages: fastrand::usize(1..20), ..ALL });
        assert_eq!(batch.gap, None);
        ends += batch.entries.iter().filter(|entry| &*entry.message.text == END).count();
        got.extend(batch.entries.iter().map(|entry| entry.message.id.offset));
        if fastrand::u8(..) < 64 {
            let cursor = subscriber.cursor();
            drop(subscriber);
            subscriber = history.follow(topics, Position::At(cursor));
        }
    }
    (filter, start, got)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_load_everyone_gets_every_message_once_and_in_order() {
    let history = Arc::new(History::new(ROOMY));
    let mut followers = JoinSet::new();
    let mut publishers = JoinSet::new();
    for index in 0..40 {
        followers.spawn(follow(Arc::clone(&history), index % FILTERS.len()));
        if index % 10 == 0 && publishers.len() < PUBLISHERS {
            publishers.spawn(publish(Arc::clone(&history)));
        }
    }
    let mut published = soon(publishers.join_all()).await.concat();
    for (index, topic) in TOPICS.iter().enumerate() {
        published.push((history.publish(topic, END).offset, index));
    }
    published.sort_unstable();
    assert!(published.iter().map(|(offset, _)| *offset).eq(1..=published.len() as u64), "offsets without holes");

    for (filter, start, got) in soon(followers.join_all()).await {
        let (topics, matching) = FILTERS[filter];
        let wanted = published.iter().filter(|(offset, topic)| *offset > start && matching.contains(topic));
        assert_eq!(got, wanted.map(|(offset, _)| *offset).collect::<Vec<_>>(), "{topics:?} from {start}");
    }
    assert_eq!(history.hub.topics(), TOPICS.len(), "those that left have left nothing");
}

/// Reads one topic to its end. Messages that are not read have to be reported: each gap begins where reading had come to, and the next
/// message is the one after it.
async fn account(mut subscriber: Subscriber, last: impl Future<Output = Cursor>) -> (u64, u64) {
    let mut last = std::pin::pin!(last);
    let mut end = None;
    let (mut position, mut messages, mut missed) = (subscriber.cursor().offset, 0, 0);
    while end.is_none_or(|end| position < end) {
        tokio::select! {
            cursor = &mut last, if end.is_none() => end = Some(cursor.offset),
            () = subscriber.changed() => {}
        }
        let batch = subscriber.read(&JSON, BatchLimit { messages: 4, ..ALL });
        if let Some(gap) = batch.gap {
            assert_eq!(gap.since.offset, position, "{gap:?}");
            assert!(gap.cursor.offset >= position, "{gap:?}");
            missed += gap.cursor.offset - position;
            position = gap.cursor.offset;
        }
        for entry in &batch.entries {
            assert_eq!(entry.message.id.offset, position + 1, "a loss was not reported");
            position += 1;
            messages += 1;
        }
    }
    (messages, missed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_load_every_loss_is_reported_to_a_slow_reader() {
    const APPENDED: usize = 3000;
    // Less is held than is appended at once, so a reader can come upon a publication that is partly gone.
    let history = Arc::new(History::new(at_most(3)));
    let (done, last) = tokio::sync::watch::channel(None);
    let mut readers = JoinSet::new();
    for topics in [&["main"][..], &["*"], &["main", "*"], &["main", "quiet"], &[">"], &["*", "x.>"]] {
        let (subscriber, mut last) = (history.follow(topics, Position::Now), last.clone());
        let last = async move { last.wait_for(Option::is_some).await.unwrap().unwrap() };
        readers.spawn(account(subscriber, last));
    }
    let publisher = Arc::clone(&history);
    let publisher = tokio::task::spawn_blocking(move || {
        for _ in 0..APPENDED {
            publisher.publish_all("main", &["m"; 8]);
        }
        done.send_replace(Some(publisher.hub.head()));
    });
    soon(publisher).await.unwrap();
    for (messages, missed) in soon(readers.join_all()).await {
        assert_eq!(messages + missed, 8 * APPENDED as u64);
    }
}

/// Reads to the end of so many topics, slowly, and returns what it got and the gaps: from the first offset, exclusive, to
/// the second.
async fn read_slowly(mut subscriber: Subscriber, topics: usize) -> (Vec<u64>, Vec<(u64, u64)>) {
    let (mut ends, mut got, mut gaps) = (0, Vec::new(), Vec::new());
    while ends < topics {
        subscriber.changed().await;
        let batch = subscriber.read(&JSON, BatchLimit { messages: fastrand::usize(1..200), ..ALL });
        gaps.extend(batch.gap.map(|gap| (gap.since.offset, gap.cursor.offset)));
        ends += batch.entries.iter().filter(|entry| &*entry.message.text == END).count();
        got.extend(batch.entries.iter().map(|entry| entry.message.id.offset));
        tokio::task::yield_now().await;
    }
    (got, gaps)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_load_what_a_slow_reader_of_patterns_does_not_get_is_in_a_gap() {
    // More of each topic is held than a pattern's newest messages, and less than is published meanwhile.
    let history = Arc::new(History::new(at_most(200)));
    let mut readers = JoinSet::new();
    for (index, (topics, matching)) in FILTERS.iter().cycle().enumerate().take(3 * FILTERS.len()) {
        let subscriber = history.follow(topics, Position::Now);
        readers.spawn(async move { (index % FILTERS.len(), read_slowly(subscriber, matching.len()).await) });
    }
    let publisher = Arc::clone(&history);
    let published = tokio::task::spawn_blocking(move || {
        let mut published = Vec::new();
        for _ in 0..3000 {
            let topic = fastrand::usize(..TOPICS.len());
            let ids = publisher.publish_all(TOPICS[topic], &["m"; 8][..fastrand::usize(1..8)]);
            published.extend(ids.iter().map(|id| (id.offset, topic)));
        }
        for (index, topic) in TOPICS.iter().enumerate() {
            published.push((publisher.publish(topic, END).offset, index));
        }
        published
    });
    let published = soon(published).await.unwrap();
    for (filter, (got, gaps)) in soon(readers.join_all()).await {
        let (topics, matching) = FILTERS[filter];
        assert!(got.is_sorted_by(|one, two| one < two), "in order and once: {topics:?}");
        for (offset, topic) in &published {
            let in_gap = gaps.iter().any(|(since, cursor)| since < offset && offset <= cursor);
            let wanted = matching.contains(topic) && !in_gap;
            assert_eq!(got.binary_search(offset).is_ok(), wanted, "{offset} of {topics:?}, gaps {gaps:?}");
        }
    }
}
