//! Files that are removed or replaced while instances use them.

use std::fs;
use std::path::Path;

use shared::backplane::{Backplane, PublishError};
use shared::cursor::Position;
use shared::gap::GapReason;
use tempfile::TempDir;
use testkit::soon;

use super::instance::{Instance, Settings};
use super::{ALL, JSON, file, next, texts, until};

const FILES: [&str; 3] = ["push.db", "push.db-wal", "push.db-shm"];

/// Makes a backup of a history that is in use.
fn back_up(directory: &Path, backup: &Path) {
    file(directory).execute("VACUUM INTO ?1", [backup.to_str().unwrap()]).unwrap();
}

#[tokio::test]
async fn a_file_that_was_removed_is_missed_and_goes_on_when_it_is_back() {
    let (directory, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let instance = Instance::open(directory.path()).await;
    let seen = instance.publish("a", "1").await;
    let mut subscriber = instance.follow(&["a"], Position::Earliest);
    for name in FILES {
        fs::rename(directory.path().join(name), elsewhere.path().join(name)).unwrap();
    }
    let reason = instance.until_not_ready().await;
    assert!(reason.contains("was removed"), "{reason}");
    until(|| instance.sqlite.publishable().is_err()).await;
    let refused = instance.try_publish("a", &["2"], None).await;
    assert!(matches!(refused, Err(PublishError::NotReady(_))), "{refused:?}");
    assert!(!directory.path().join("push.db").exists(), "no new history begins");
    assert!(instance.sqlite.known().is_ok());
    assert_eq!(next(&mut subscriber).await, ["1"], "memory still serves");

    for name in FILES {
        fs::rename(elsewhere.path().join(name), directory.path().join(name)).unwrap();
    }
    instance.until_ready().await;
    let cursor = instance.publish("a", "2").await;
    assert_eq!((cursor.epoch, cursor.offset), (seen.epoch, seen.offset + 1));
    assert_eq!(next(&mut subscriber).await, ["2"]);
    instance.stop().await;
}

#[tokio::test]
async fn a_copy_of_the_whole_history_goes_on_with_it() {
    let (directory, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let instances = [Instance::open(directory.path()).await, Instance::open(directory.path()).await];
    let seen = instances[0].publish("a", "1").await;
    until(|| instances[1].hub.knows(seen)).await;
    let mut subscriber = instances[1].follow(&["a"], Position::At(seen));
    let backup = elsewhere.path().join("backup");
    back_up(directory.path(), &backup);
    for name in FILES {
        fs::remove_file(directory.path().join(name)).unwrap();
    }
    instances[1].until_not_ready().await;
    fs::rename(&backup, directory.path().join("push.db")).unwrap();
    for instance in &instances {
        instance.until_ready().await;
    }
    let cursor = instances[0].publish("a", "2").await;
    assert_eq!((cursor.epoch, cursor.offset), (seen.epoch, seen.offset + 1));
    assert_eq!(next(&mut subscriber).await, ["2"]);
    for instance in instances {
        instance.stop().await;
    }
}

#[tokio::test]
async fn a_file_that_was_put_beside_the_log_of_another_one_is_not_read() {
    let (directory, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let instance = Instance::open(directory.path()).await;
    let seen = instance.publish("a", "1").await;
    let backup = elsewhere.path().join("backup");
    back_up(directory.path(), &backup);
    instance.publish("a", "2").await;
    fs::rename(&backup, directory.path().join("push.db")).unwrap();
    let reason = instance.until_not_ready().await;
    assert!(reason.contains("belong to the one before"), "{reason}");
    assert!(instance.try_publish("a", &["3"], None).await.is_err());
    instance.stop().await;

    for name in &FILES[1..] {
        fs::remove_file(directory.path().join(name)).unwrap();
    }
    let instance = Instance::open(directory.path()).await;
    assert_eq!(instance.publish("a", "2").await.offset, seen.offset + 1);
    instance.stop().await;
}

#[tokio::test]
async fn a_file_beside_the_log_of_another_one_is_left_as_it_is_by_an_instance_alone() {
    let (directory, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let instance = Instance::open(directory.path()).await;
    instance.publish("a", "1").await;
    let backup = elsewhere.path().join("backup");
    back_up(directory.path(), &backup);
    instance.stop().await;
    let instance = Instance::open_with(directory.path(), Settings::exclusive()).await;
    instance.publish("a", "2").await;
    let content = fs::read(&backup).unwrap();
    let log = fs::read(directory.path().join("push.db-wal")).unwrap();
    fs::rename(&backup, directory.path().join("push.db")).unwrap();
    let reason = instance.until_not_ready().await;
    assert!(reason.contains("belong to the one before"), "{reason}");
    // The writer tries as well.
    for _ in 0..20 {
        assert!(instance.try_publish("a", &["3"], None).await.is_err());
    }
    assert!(fs::read(directory.path().join("push.db")).unwrap() == content);
    assert!(fs::read(directory.path().join("push.db-wal")).unwrap() == log);
    instance.stop().await;
    assert!(fs::read(directory.path().join("push.db")).unwrap() == content);
}

#[tokio::test]
async fn an_older_backup_gets_a_new_epoch() {
    let (directory, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let instances = [Instance::open(directory.path()).await, Instance::open(directory.path()).await];
    instances[0].publish("a", "kept").await;
    let backup = elsewhere.path().join("backup");
    back_up(directory.path(), &backup);
    let seen = instances[0].publish("a", "lost").await;
    until(|| instances[1].hub.knows(seen)).await;
    let mut subscribers = [(); 2].map(|()| instances[0].follow(&["a"], Position::At(seen)));
    let mut other = instances[1].follow(&["a"], Position::At(seen));
    for name in FILES {
        let _ = fs::remove_file(directory.path().join(name));
    }
    fs::rename(&backup, directory.path().join("push.db")).unwrap();
    let epochs = subscribers.iter_mut().chain([&mut other]);
    let mut new = None;
    for subscriber in epochs {
        soon(subscriber.changed()).await;
        let batch = subscriber.read(&JSON, ALL);
        let gap = batch.gap.unwrap();
        assert_eq!((gap.reason, gap.since), (GapReason::Epoch, seen));
        assert_eq!(texts(&batch), ["kept"]);
        assert_eq!(*new.get_or_insert(gap.cursor.epoch), gap.cursor.epoch, "one for all");
    }
    for instance in &instances {
        instance.until_ready().await;
    }
    let cursor = instances[1].publish("a", "new").await;
    assert_eq!(Some(cursor.epoch), new);
    assert_ne!(cursor.epoch, seen.epoch);
    assert_eq!(next(&mut other).await, ["new"]);
    for instance in instances {
        instance.stop().await;
    }
}

#[tokio::test]
async fn a_history_that_went_back_within_the_same_file_gets_a_new_epoch() {
    let directory = TempDir::new().unwrap();
    let instance = Instance::open(directory.path()).await;
    instance.publish_all("a", &["1", "2", "3"]).await;
    let seen = instance.hub.head();
    for (change, kept) in [
        // As a backup does that is restored by SQLite itself, into the file that is in use.
        ("DELETE FROM messages WHERE offset > 1; UPDATE history SET last = 1, messages = 1", vec!["1"]),
        // The same number of messages, of which the last is another one.
        ("UPDATE messages SET text = 'other' WHERE offset = (SELECT last FROM history)", vec!["other"]),
    ] {
        let before = instance.hub.head();
        let mut subscriber = instance.follow(&["a"], Position::At(before));
        file(directory.path()).execute_batch(&format!("BEGIN IMMEDIATE; {change}; COMMIT")).unwrap();
        soon(subscriber.changed()).await;
        let batch = subscriber.read(&JSON, ALL);
        assert_eq!(batch.gap.map(|gap| (gap.reason, gap.since)), Some((GapReason::Epoch, before)));
        assert_eq!(texts(&batch), kept);
    }
    instance.until_ready().await;
    let cursor = instance.publish("a", "new").await;
    assert!(cursor.epoch != seen.epoch && cursor.offset == 2, "{cursor}");
    instance.stop().await;
}

#[tokio::test]
async fn a_file_that_is_no_history_any_more_is_not_written_to() {
    let directory = TempDir::new().unwrap();
    let instance = Instance::open(directory.path()).await;
    instance.publish("a", "1").await;
    let path = directory.path().join("push.db");
    for name in FILES {
        fs::remove_file(directory.path().join(name)).unwrap();
    }
    let garbage = "garbage ".repeat(1000);
    fs::write(&path, &garbage).unwrap();
    let reason = instance.until_not_ready().await;
    assert!(reason.contains("push.db"), "{reason}");
    assert!(matches!(instance.try_publish("a", &["2"], None).await, Err(PublishError::NotReady(_))));
    assert_eq!(fs::read_to_string(&path).unwrap(), garbage);
    assert!(instance.sqlite.known().is_ok());
    instance.stop().await;
}
