//! Several instances that share a directory.

use std::fs;
use std::os::unix::net::UnixDatagram;

use backplane_sqlite::new_epoch;
use shared::cursor::{Cursor, Position};
use shared::gap::GapReason;
use tempfile::TempDir;
use testkit::soon;

use super::instance::{Instance, config};
use super::{ALL, JSON, next, read, texts, until};

#[tokio::test]
async fn instances_share_order_and_cursors() {
    let directory = TempDir::new().unwrap();
    let (one, two) = (Instance::open(directory.path()).await, Instance::open(directory.path()).await);
    assert_eq!(one.hub.head(), two.hub.head());
    let mut subscribers = [one.follow(&["a"], Position::Now), two.follow(&["a"], Position::Now)];
    for count in 0..20 {
        let instance = if count % 2 == 0 { &one } else { &two };
        instance.publish("a", &count.to_string()).await;
    }
    let expected: Vec<_> = (0..20).map(|count: u32| count.to_string()).collect();
    for subscriber in &mut subscribers {
        assert_eq!(read(subscriber, 20).await, expected);
    }
    let cursor = one.publish("a", "last").await;
    // It need not have come to the other one yet.
    let mut moved = two.follow_at(&["a"], Cursor { offset: cursor.offset - 1, ..cursor }).await;
    assert_eq!(next(&mut moved).await, ["last"]);
    let mut moved = two.follow_at(&["a"], cursor).await;
    let news = one.publish("a", "news").await;
    assert_eq!(next(&mut moved).await, ["news"]);
    assert_eq!(moved.cursor(), news);
    one.stop().await;
    two.publish("a", "alone").await;
    assert_eq!(next(&mut moved).await, ["alone"]);
    two.stop().await;
}

#[tokio::test]
async fn a_cursor_that_is_further_than_the_history_is_of_none() {
    let directory = TempDir::new().unwrap();
    let instance = Instance::open(directory.path()).await;
    let cursor = instance.publish("a", "1").await;
    let further = Cursor { offset: cursor.offset + 1, ..cursor };
    let mut subscriber = instance.follow_at(&["a"], further).await;
    let batch = subscriber.read(&JSON, ALL);
    assert_eq!(batch.gap.map(|gap| (gap.reason, gap.since)), Some((GapReason::Epoch, further)));
    assert_eq!(texts(&batch), ["1"]);
    instance.stop().await;
}

#[tokio::test]
async fn a_new_epoch_reaches_those_who_run() {
    let directory = TempDir::new().unwrap();
    let (one, two) = (Instance::open(directory.path()).await, Instance::open(directory.path()).await);
    let seen = one.publish("a", "kept").await;
    until(|| two.hub.knows(seen)).await;
    let mut subscribers = [one.follow(&["a"], Position::At(seen)), two.follow(&["a"], Position::At(seen))];
    let epoch = new_epoch(&config(directory.path(), &[])).unwrap();
    assert_ne!(epoch, seen.epoch);
    for subscriber in &mut subscribers {
        soon(subscriber.changed()).await;
        let batch = subscriber.read(&JSON, ALL);
        assert_eq!(
            batch.gap.map(|gap| (gap.reason, gap.since, gap.cursor.epoch)),
            Some((GapReason::Epoch, seen, epoch))
        );
        assert_eq!(texts(&batch), ["kept"], "the messages stay");
    }
    let cursor = two.publish("a", "new").await;
    assert_eq!((cursor.epoch, cursor.offset), (epoch, seen.offset + 1));
    for subscriber in &mut subscribers {
        assert_eq!(next(subscriber).await, ["new"]);
    }
    one.stop().await;
    two.stop().await;
}

#[test]
fn there_is_no_new_epoch_where_there_is_no_history() {
    let directory = TempDir::new().unwrap();
    let missing = directory.path().join("missing");
    let refused = new_epoch(&config(&missing, &[])).unwrap_err().to_string();
    assert!(refused.contains("push.db does not exist"), "{refused}");
    assert!(!missing.exists());
}

#[tokio::test]
async fn a_process_that_has_died_leaves_nothing_that_hurts() {
    let directory = TempDir::new().unwrap();
    let instance = Instance::open(directory.path()).await;
    let bells = directory.path().join("bells");
    let own: Vec<_> = fs::read_dir(&bells).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(own.len(), 1);
    let (dead, alive) = (bells.join("1-0.bell"), bells.join("1-1.bell"));
    drop(UnixDatagram::bind(&dead).unwrap());
    let socket = UnixDatagram::bind(&alive).unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut rung = false;
    // The sockets are listed every now and then.
    while dead.exists() || !rung {
        instance.publish("a", "1").await;
        rung |= socket.recv(&mut [0]).is_ok();
    }
    assert!(alive.exists());
    // One whose owner never looks takes a few datagrams, and holds nobody up.
    for _ in 0..100 {
        instance.publish("a", "1").await;
    }
    instance.stop().await;
    assert!(!own[0].exists());
}

#[tokio::test]
async fn a_path_that_is_too_long_for_a_socket_is_no_hindrance() {
    let directory = TempDir::new().unwrap();
    let long = directory.path().join("a".repeat(120)).join("b");
    let (one, two) = (Instance::open(&long).await, Instance::open(&long).await);
    assert_eq!(fs::read_dir(long.join("bells")).unwrap().count(), 2);
    let mut subscriber = two.follow(&["a"], Position::Now);
    one.publish("a", "1").await;
    assert_eq!(next(&mut subscriber).await, ["1"]);
    one.stop().await;
    two.stop().await;
}
