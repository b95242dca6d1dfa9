//! Disks that are full, and files that are locked.

use std::path::Path;
use std::process::Command;

use shared::backplane::{Backplane, PublishError};
use shared::cursor::Position;
use tempfile::TempDir;

use super::instance::Instance;
use super::{file, next};

/// A small file system of its own. Only the superuser can make one; for others, there is none.
pub(super) struct Mount(TempDir);

impl Mount {
    pub(super) fn small() -> Option<Self> {
        let directory = TempDir::new().unwrap();
        let mounted = mount(&["-t", "tmpfs", "-o", "size=2m", "tmpfs"], directory.path());
        if !mounted {
            eprintln!("skipped: this user cannot mount a file system");
        }
        mounted.then_some(Self(directory))
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn make_read_only(&self) {
        assert!(mount(&["-o", "remount,ro"], self.path()));
    }
}

fn mount(arguments: &[&str], path: &Path) -> bool {
    Command::new("mount").args(arguments).arg(path).output().is_ok_and(|output| output.status.success())
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily, since the connections of a test that has failed may be open.
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}

#[tokio::test]
async fn a_disk_that_is_full_is_reported_and_publishing_goes_on_when_there_is_room() {
    let Some(mount) = Mount::small() else { return };
    let instance = Instance::open(mount.path()).await;
    let mut subscriber = instance.follow(&["a"], Position::Now);
    instance.publish("a", "1").await;
    assert_eq!(next(&mut subscriber).await, ["1"]);
    let filler = mount.path().join("filler");
    // It ends with an error, when nothing more fits.
    assert!(std::fs::write(&filler, vec![0; 4 << 20]).is_err());

    let text = "x".repeat(100_000);
    let reason = loop {
        match instance.try_publish("b", &[&text], None).await {
            Ok(_) => {}
            Err(PublishError::NotReady(reason)) => break reason.to_string(),
            Err(error) => panic!("{error}"),
        }
    };
    assert!(reason.contains("no room left"), "{reason}");
    assert!(instance.sqlite.publishable().is_err() && instance.sqlite.ready().is_err());
    assert!(instance.sqlite.known().is_ok(), "clients are still served");

    std::fs::remove_file(&filler).unwrap();
    // By itself, without a publication.
    instance.until_ready().await;
    instance.publish("a", "2").await;
    assert_eq!(next(&mut subscriber).await, ["2"]);
    instance.stop().await;
}

#[tokio::test]
async fn a_file_that_others_keep_locked_is_reported_and_publishing_goes_on() {
    let directory = TempDir::new().unwrap();
    let instance = Instance::open(directory.path()).await;
    instance.publish("a", "1").await;
    let other = file(directory.path());
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = instance.try_publish("a", &["2"], None).await;
    assert!(matches!(&refused, Err(PublishError::NotReady(reason)) if reason.0.contains("locked")), "{refused:?}");
    assert!(instance.sqlite.publishable().is_err());
    other.execute_batch("ROLLBACK").unwrap();
    instance.until_ready().await;
    instance.publish("a", "3").await;
    instance.stop().await;
}

#[tokio::test]
async fn a_lock_that_is_held_for_a_moment_is_waited_for() {
    let directory = TempDir::new().unwrap();
    let instance = Instance::open(directory.path()).await;
    let other = file(directory.path());
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let publishing = instance.publish("a", "1");
    let releasing = async {
        tokio::task::yield_now().await;
        other.execute_batch("ROLLBACK").unwrap();
    };
    tokio::join!(publishing, releasing);
    instance.stop().await;
}
