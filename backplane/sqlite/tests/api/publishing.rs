//! Publications, and what is left of them after a restart.

use std::sync::Arc;

use backplane_sqlite::Sqlite;
use shared::backplane::{Backplane, Publication, PublishError};
use shared::cursor::Position;
use shared::message::{Draft, EventName};
use shared::timestamp::Timestamp;
use shared::wall_clock::WallClock;
use tempfile::TempDir;
use testkit::soon;

use super::instance::{Instance, Settings, config};
use super::{ALL, JSON, ROOMY, let_pass, next, number, read, until};

#[tokio::test]
async fn what_is_confirmed_is_in_the_file_and_visible() {
    let directory = TempDir::new().unwrap();
    let instance = Instance::open(directory.path()).await;
    let mut subscriber = instance.follow(&["a"], Position::Now);
    let event = EventName::try_from("neu".to_owned()).ok();
    let drafts = vec![Draft { text: "Täxt\n".into(), event: event.clone() }, Draft::text("")];
    let publication = Publication::new("a".parse().unwrap(), drafts, None);
    let receipt = soon(instance.sqlite.publish(publication)).await.unwrap();
    assert_eq!(number(directory.path(), "SELECT count(*) FROM messages"), 2);
    let batch = subscriber.read(&JSON, ALL);
    let placed: Vec<_> = receipt.each().map(|placed| (placed.id, placed.at)).collect();
    let read: Vec<_> = batch.entries.iter().map(|entry| (entry.message.id, entry.message.at)).collect();
    assert_eq!(read, placed, "at once");
    assert_eq!((&*batch.entries[0].message.text, &batch.entries[0].message.event), ("Täxt\n", &event));
    assert_eq!((&*batch.entries[1].message.text, &batch.entries[1].message.event), ("", &None));
    instance.stop().await;
}

#[tokio::test]
async fn a_traceparent_is_kept_with_its_message() {
    let directory = TempDir::new().unwrap();
    let (one, two) = (Instance::open(directory.path()).await, Instance::open(directory.path()).await);
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap();
    let mut subscribers = [one.follow(&["a"], Position::Now), two.follow(&["a"], Position::Now)];
    let publish = async |traceparent| {
        let publication = Publication::new("a".parse().unwrap(), vec![Draft::text("m")], "k".parse().ok());
        soon(one.sqlite.publish(Publication { traceparent, ..publication })).await.unwrap().repeated
    };
    assert!(!publish(Some(traceparent)).await);
    assert!(publish(None).await, "a repeat is an operation of its own");
    one.publish("a", "untraced").await;
    for subscriber in &mut subscribers {
        let mut kept = Vec::new();
        while kept.len() < 2 {
            soon(subscriber.changed()).await;
            let batch = subscriber.read(&JSON, ALL);
            kept.extend(batch.entries.iter().map(|entry| entry.message.traceparent.as_deref().copied()));
        }
        assert_eq!(kept, [Some(traceparent), None]);
    }
    one.stop().await;
    two.stop().await;
    let again = Instance::open(directory.path()).await;
    let mut subscriber = again.follow(&["a"], Position::Earliest);
    assert_eq!(subscriber.read(&JSON, ALL).entries[0].message.traceparent.as_deref(), Some(&traceparent));
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_publications_at_once_are_each_stored_once() {
    let directory = TempDir::new().unwrap();
    let instance = Arc::new(Instance::open(directory.path()).await);
    let mut subscriber = instance.follow(&["a.*"], Position::Now);
    let publishers: Vec<_> = (0..40)
        .map(|publisher| {
            let instance = Arc::clone(&instance);
            tokio::spawn(async move {
                let mut last = 0;
                for count in 0..25 {
                    let cursor = instance.publish(&format!("a.{publisher}"), &format!("{publisher} {count}")).await;
                    assert!(cursor.offset > last, "in the order of their publisher");
                    last = cursor.offset;
                }
            })
        })
        .collect();
    let mut read = read(&mut subscriber, 1000).await;
    for publisher in publishers {
        soon(publisher).await.unwrap();
    }
    read.sort();
    read.dedup();
    assert_eq!((read.len(), instance.hub.head().offset), (1000, 1000));
}

#[tokio::test]
async fn a_restart_keeps_the_epoch_the_offsets_and_the_messages() {
    let directory = TempDir::new().unwrap();
    for settings in [Settings::default(), Settings::exclusive()] {
        let instance = Instance::open_with(directory.path(), settings).await;
        let seen = instance.publish("a", "1").await;
        instance.publish_all("a", &["2", "3"]).await;
        let epoch = seen.epoch;
        instance.stop().await;

        let instance = Instance::open_with(directory.path(), settings).await;
        assert_eq!(instance.hub.head().epoch, epoch);
        let mut subscriber = instance.follow_at(&["a"], seen).await;
        assert_eq!(next(&mut subscriber).await, ["2", "3"]);
        let next_cursor = instance.publish("a", "4").await;
        assert_eq!((next_cursor.epoch, next_cursor.offset), (epoch, seen.offset + 3));
        assert_eq!(next(&mut subscriber).await, ["4"]);
        instance.stop().await;
    }
}

#[tokio::test]
async fn what_was_taken_before_the_end_is_finished_or_refused() {
    let directory = TempDir::new().unwrap();
    let instance = Instance::open(directory.path()).await;
    let publishing: Vec<_> = (0..500)
        .map(|count| {
            let sqlite = Arc::clone(&instance.sqlite);
            let drafts = vec![Draft::text(count.to_string())];
            tokio::spawn(async move { sqlite.publish(Publication::new("a".parse().unwrap(), drafts, None)).await })
        })
        .collect();
    until(|| instance.hub.head().offset > 0).await;
    instance.stop().await;
    let mut confirmed = 0;
    for publishing in publishing {
        match soon(publishing).await.unwrap() {
            Ok(_) => confirmed += 1,
            Err(PublishError::NotReady(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert!(confirmed > 0);
    assert_eq!(number(directory.path(), "SELECT count(*) FROM messages"), confirmed);
}

/// A wall clock that is ahead by a number of milliseconds.
#[derive(Debug)]
struct Ahead(u64);

impl WallClock for Ahead {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(shared::wall_clock::SystemClock.now().as_millis() + self.0)
    }
}

#[tokio::test]
async fn the_wall_clock_dates_messages_and_evicts_none() {
    let directory = TempDir::new().unwrap();
    let two_days = 2 * 24 * 3600 * 1000;
    for ahead in [two_days, 0, two_days] {
        let (sqlite, hub) =
            Sqlite::new(&config(directory.path(), &[]), ROOMY, 10, 1000, std::time::Duration::ZERO).unwrap();
        let instance = Instance::run(sqlite.dated_by(Ahead(ahead)), hub);
        instance.until_known().await;
        instance.publish("a", &ahead.to_string()).await;
        instance.stop().await;
    }
    let instance = Instance::open(directory.path()).await;
    let mut subscriber = instance.follow(&["a"], Position::Earliest);
    assert_eq!(read(&mut subscriber, 3).await, ["172800000", "0", "172800000"]);
    let ats = "SELECT max(at) - min(at) FROM messages";
    assert!(number(directory.path(), ats) >= two_days as i64 - 60_000);
    instance.stop().await;
}

#[tokio::test]
async fn another_start_of_the_machine_evicts_nothing_and_the_clock_goes_on() {
    let directory = TempDir::new().unwrap();
    let instance = Instance::open(directory.path()).await;
    instance.publish("a", "before").await;
    instance.stop().await;
    // The machine was up for a year then.
    let rebooted = super::file(directory.path())
        .execute("UPDATE history SET boot = 'another', boot_millis = 31536000000, age_millis = 5000", [])
        .unwrap();
    assert_eq!(rebooted, 1);
    let instance = Instance::open(directory.path()).await;
    instance.publish("a", "after").await;
    let mut subscriber = instance.follow(&["a"], Position::Earliest);
    assert_eq!(read(&mut subscriber, 2).await, ["before", "after"]);
    assert!(number(directory.path(), "SELECT held_since FROM messages WHERE text = 'after'") >= 5000);
    let_pass(directory.path(), ROOMY.age * 2);
    until(|| number(directory.path(), "SELECT count(*) FROM messages") == 0).await;
    instance.stop().await;
}
