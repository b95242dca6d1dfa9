//! The limits of the file.

use std::time::Duration;

use shared::backplane::Publication;
use shared::cursor::Position;
use shared::gap::GapReason;
use shared::hub::HistoryLimits;
use shared::message::Draft;
use tempfile::TempDir;
use testkit::soon;

use shared::backplane::Backplane;

use super::instance::{Instance, Settings};
use super::{ALL, JSON, ROOMY, let_pass, number, read, texts, until};

const COUNT: &str = "SELECT count(*) FROM messages";

#[tokio::test]
async fn each_topic_keeps_its_newest_messages() {
    let directory = TempDir::new().unwrap();
    let settings = Settings::default().limits(HistoryLimits { messages: 3, ..ROOMY });
    let instance = Instance::open_with(directory.path(), settings).await;
    let seen = instance.publish("a", "0").await;
    for count in 1..=10 {
        instance.publish("a", &format!("a{count}")).await;
    }
    for count in 1..=3 {
        instance.publish("b", &format!("b{count}")).await;
    }
    until(|| number(directory.path(), COUNT) == 6).await;
    instance.stop().await;

    let instance = Instance::open_with(directory.path(), settings).await;
    let mut subscriber = instance.follow_at(&["a"], seen).await;
    soon(subscriber.changed()).await;
    let batch = subscriber.read(&JSON, ALL);
    let gap = batch.gap.unwrap();
    assert_eq!((gap.reason, gap.since, gap.cursor.offset), (GapReason::Expired, seen, 8), "a8 is number 9");
    assert_eq!(read(&mut instance.follow(&["a"], Position::At(gap.cursor)), 3).await, ["a8", "a9", "a10"]);
    // Nothing of the other topic is gone.
    assert_eq!(read(&mut instance.follow_at(&["b"], seen).await, 3).await, ["b1", "b2", "b3"]);
    assert_eq!(read(&mut instance.follow(&["*"], Position::Earliest), 6).await, ["a8", "a9", "a10", "b1", "b2", "b3"]);
    instance.stop().await;
}

#[tokio::test]
async fn old_messages_go_and_their_offsets_are_not_used_again() {
    let directory = TempDir::new().unwrap();
    let instance = Instance::open(directory.path()).await;
    let seen = instance.publish("a", "1").await;
    let last = instance.publish("a", "2").await;
    let_pass(directory.path(), ROOMY.age * 2);
    until(|| number(directory.path(), COUNT) == 0).await;
    assert_eq!(number(directory.path(), "SELECT bytes + messages FROM history"), 0);
    instance.stop().await;

    let instance = Instance::open(directory.path()).await;
    assert_eq!(instance.hub.head(), last);
    let mut subscriber = instance.follow_at(&["a"], seen).await;
    soon(subscriber.changed()).await;
    let gap = subscriber.read(&JSON, ALL).gap.unwrap();
    assert_eq!((gap.since, gap.cursor), (seen, last));
    // There is no gap where nothing is gone: another topic, and the end.
    for (topic, cursor) in [("b", seen), ("a", last), ("c", last)] {
        let mut subscriber = instance.follow_at(&[topic], cursor).await;
        instance.publish(topic, topic).await;
        assert_eq!(read(&mut subscriber, 1).await, [topic]);
    }
    assert_eq!(number(directory.path(), "SELECT min(offset) FROM messages"), last.offset as i64 + 1);
    instance.stop().await;
}

#[tokio::test]
async fn the_oldest_of_all_go_when_there_are_too_many_bytes() {
    let directory = TempDir::new().unwrap();
    let settings = Settings::default().limits(HistoryLimits { bytes: 10_000, ..ROOMY });
    let instance = Instance::open_with(directory.path(), settings).await;
    let text = "x".repeat(952);
    for topic in ["a", "b"] {
        for _ in 0..10 {
            instance.publish(topic, &text).await;
        }
    }
    until(|| number(directory.path(), COUNT) == 10).await;
    assert_eq!(number(directory.path(), "SELECT bytes FROM history"), 10_000);
    let expected = "SELECT count(*) FROM messages WHERE offset = 10 OR offset > 11";
    assert_eq!(number(directory.path(), expected), 10, "the only message of the first topic, and the newest of all");
    let larger = "x".repeat(20_000);
    let drafts = vec![Draft::text(larger)];
    let publication = Publication::new("c".parse().unwrap(), drafts, None);
    soon(instance.sqlite.publish(publication)).await.unwrap();
    until(|| number(directory.path(), COUNT) == 1).await;
    assert_eq!(number(directory.path(), "SELECT min(offset) FROM messages"), 21, "the newest always stays");
    instance.stop().await;
}

#[tokio::test]
async fn a_topic_that_is_flooded_loses_its_own_messages() {
    const BYTES: &str = "SELECT bytes FROM history";
    let directory = TempDir::new().unwrap();
    let limit = 100_000;
    let limits = HistoryLimits { bytes: limit, ..ROOMY };
    let instance = Instance::open_with(directory.path(), Settings::little_memory().limits(limits)).await;
    let quiet: Vec<String> = (0..20).map(|number| format!("quiet.{number}")).collect();
    let before = instance.hub.head();
    for topic in &quiet {
        instance.publish(topic, "1").await;
    }
    let text = "x".repeat(500);
    let mut numbers = 0..;
    for flood in ["flood", "other"].repeat(5) {
        let texts: Vec<_> = numbers.by_ref().take(50).map(|number: usize| format!("{number} {text}")).collect();
        instance.publish_all(flood, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    // A large message that is the only one of its topic goes with the oldest of all.
    instance.publish("large", &"x".repeat(limit / 8)).await;
    until(|| number(directory.path(), BYTES) <= limit as i64).await;
    assert_eq!(number(directory.path(), "SELECT sum(bytes) FROM topics"), number(directory.path(), BYTES));
    for topic in &quiet {
        assert_eq!(read(&mut instance.follow_at(&[topic], before).await, 1).await, ["1"], "and no gap");
    }
    assert_eq!(read(&mut instance.follow_at(&["large"], before).await, 1).await.len(), 1);
    let held = "SELECT count(*) FROM messages JOIN topics ON topics.id = topic WHERE name IN ('flood', 'other')";
    let held = number(directory.path(), held) as usize;
    assert!(held > 100, "the room is used: {held} messages");
    let floods = read(&mut instance.follow(&["flood", "other"], Position::Earliest), held).await;
    assert!(floods[0].starts_with(&format!("{} ", 500 - held)), "the newest of both are there");
    instance.stop().await;
}

#[tokio::test]
async fn evictions_meanwhile_are_reported_to_those_concerned() {
    let directory = TempDir::new().unwrap();
    let limits = HistoryLimits { messages: 5, ..ROOMY };
    let instance = Instance::open_with(directory.path(), Settings::little_memory().limits(limits)).await;
    let mut slow = instance.follow(&["a"], Position::Now);
    let mut other = instance.follow(&["b"], Position::Now);
    let since = instance.hub.head();
    instance.publish("b", "b").await;
    for count in 0..50 {
        instance.publish("a", &count.to_string()).await;
    }
    until(|| number(directory.path(), COUNT) == 6).await;
    let mut lagged = None;
    let mut received = Vec::new();
    while received.len() < 5 {
        soon(slow.changed()).await;
        let batch = slow.read(&JSON, ALL);
        lagged = lagged.or(batch.gap);
        received.extend(texts(&batch));
    }
    let gap = lagged.unwrap();
    assert_eq!((gap.reason, gap.since, gap.cursor.offset), (GapReason::Lagged, since, 46));
    assert_eq!(received, ["45", "46", "47", "48", "49"]);
    assert_eq!(read(&mut other, 1).await, ["b"]);
    instance.stop().await;
}

#[tokio::test]
async fn topics_without_messages_are_bounded_and_lose_nothing_in_silence() {
    let directory = TempDir::new().unwrap();
    let instance = Instance::open(directory.path()).await;
    let first = instance.publish("first", "1").await;
    let seen = instance.publish("kept", "1").await;
    instance.stop().await;
    // As if so many topics had had a message each, one after the other.
    let many = 10_600;
    let file = super::file(directory.path());
    file.execute_batch(&format!(
        "BEGIN;
         WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {many})
         INSERT INTO topics (name, lost_through, lost_eviction) SELECT 't.' || n, n + 2, n FROM n;
         UPDATE history SET last = {many} + 2, evictions = {many}, farthest_loss = {many} + 2;
         COMMIT"
    ))
    .unwrap();
    let instance = Instance::open(directory.path()).await;
    until(|| number(directory.path(), "SELECT count(*) FROM topics WHERE messages = 0") == 10_000).await;
    instance.stop().await;

    let instance = Instance::open(directory.path()).await;
    // The first 600 are forgotten, and with them that other topics have lost nothing so far.
    for (topic, through) in [("t.1", 602), ("t.600", 602), ("t.10600", 10_602), ("never", 602), ("first", 602)] {
        let mut subscriber = instance.follow_at(&[topic], first).await;
        soon(subscriber.changed()).await;
        let gap = subscriber.read(&JSON, ALL).gap;
        assert_eq!(gap.map(|gap| gap.cursor.offset), Some(through), "{topic}");
    }
    let after = shared::cursor::Cursor { offset: 602, ..seen };
    let mut subscriber = instance.follow_at(&["t.1", "never"], after).await;
    instance.publish("never", "now").await;
    assert_eq!(read(&mut subscriber, 1).await, ["now"]);
    instance.stop().await;
}

#[tokio::test]
async fn publishing_goes_on_while_very_many_messages_are_evicted() {
    let directory = TempDir::new().unwrap();
    let instance = Instance::open(directory.path()).await;
    let texts: Vec<String> = (0..500).map(|count| count.to_string()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for _ in 0..20 {
        instance.publish_all("a", &texts).await;
    }
    let_pass(directory.path(), ROOMY.age + Duration::from_secs(60));
    let mut subscriber = instance.follow(&["b"], Position::Now);
    let mut published = 0;
    while number(directory.path(), "SELECT count(*) FROM messages JOIN topics ON topic = id WHERE name = 'a'") > 0 {
        instance.publish("b", &published.to_string()).await;
        published += 1;
    }
    assert_eq!(read(&mut subscriber, published).await.len(), published);
    instance.stop().await;
}
