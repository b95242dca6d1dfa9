//! Directories and files that are refused, and those that are not.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use rusqlite::Connection;
use shared::cursor::Position;
use tempfile::TempDir;

use super::instance::{Instance, Settings};
use super::trouble::Mount;
use super::{file, next, read};

/// The reason for which the history of a directory is not opened.
async fn refusal(directory: &Path, settings: Settings) -> String {
    Instance::start(directory, settings).until_ended().await
}

/// A directory with a history of so many messages.
async fn with_messages(count: usize) -> TempDir {
    let directory = TempDir::new().unwrap();
    let instance = Instance::open(directory.path()).await;
    for number in 0..count {
        instance.publish("a", &number.to_string()).await;
    }
    instance.stop().await;
    directory
}

#[tokio::test]
async fn a_directory_is_made_with_its_parents_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let parent = TempDir::new().unwrap();
    let directory = parent.path().join("a/b");
    let instance = Instance::open(&directory).await;
    instance.stop().await;
    assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn a_file_of_another_version_is_refused() {
    let directory = with_messages(1).await;
    for version in [1, 2, 4] {
        file(directory.path()).pragma_update(None, "user_version", version).unwrap();
        let refusal = refusal(directory.path(), Settings::default()).await;
        assert!(refusal.contains("push.db was written by another version"), "{refusal}");
        assert!(refusal.contains(&format!("its format is {version}, this version knows 3")), "{refusal}");
    }
}

#[tokio::test]
async fn files_that_are_no_history_are_refused_and_left_as_they_are() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("push.db");
    fs::write(&path, "no database ".repeat(1000)).unwrap();
    let reason = refusal(directory.path(), Settings::default()).await;
    assert!(reason.contains("push.db is not a history of messages"), "{reason}");
    assert!(fs::read_to_string(&path).unwrap().starts_with("no database"));

    fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE other (x)").unwrap();
    let reason = refusal(directory.path(), Settings::default()).await;
    assert!(reason.contains("push.db is not a history of messages"), "{reason}");
}

#[tokio::test]
async fn a_file_that_was_cut_off_is_refused() {
    let directory = with_messages(500).await;
    let path = directory.path().join("push.db");
    let length = fs::metadata(&path).unwrap().len();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(length / 2 / 4096 * 4096).unwrap();
    let refusal = refusal(directory.path(), Settings::default()).await;
    assert!(refusal.contains("push.db is damaged") && refusal.contains("new-epoch"), "{refusal}");
}

#[tokio::test]
async fn a_page_of_zeroes_is_refused() {
    let directory = with_messages(500).await;
    let path = directory.path().join("push.db");
    let pages = fs::metadata(&path).unwrap().len() / 4096;
    let mut file = OpenOptions::new().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start((pages - 1) * 4096)).unwrap();
    file.write_all(&[0; 4096]).unwrap();
    let refusal = refusal(directory.path(), Settings::default()).await;
    assert!(refusal.contains("push.db is damaged"), "{refusal}");
}

#[tokio::test]
async fn an_empty_file_is_a_new_history_unless_its_log_is_left() {
    let directory = TempDir::new().unwrap();
    let (path, wal) = (directory.path().join("push.db"), directory.path().join("push.db-wal"));
    fs::write(&path, "").unwrap();
    let instance = Instance::open(directory.path()).await;
    instance.publish("a", "1").await;
    instance.stop().await;
    for remove in [true, false] {
        fs::remove_file(&path).unwrap();
        if !remove {
            fs::write(&path, "").unwrap();
        }
        fs::write(&wal, [1; 5000]).unwrap();
        let reason = refusal(directory.path(), Settings::default()).await;
        assert!(reason.contains("push.db-wal is there"), "{reason}");
        assert!(wal.exists());
        fs::write(&path, "").unwrap();
    }
}

/// A directory whose log has so many commits that are not in the database yet, as a process leaves it that is killed.
async fn killed(commits: usize) -> TempDir {
    let directory = with_messages(0).await;
    let running = Instance::open(directory.path()).await;
    for number in 0..commits {
        running.publish("a", &number.to_string()).await;
    }
    let copy = TempDir::new().unwrap();
    for name in ["push.db", "push.db-wal"] {
        fs::copy(directory.path().join(name), copy.path().join(name)).unwrap();
    }
    running.stop().await;
    copy
}

fn damage(path: &Path, at: u64) {
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&[0x5a; 16]).unwrap();
}

/// Those that wait for one that checks the directory do not trust it where that one has found damage, or was killed.
#[tokio::test]
async fn a_damaged_log_is_refused_by_all_that_start_at_once() {
    let directory = killed(20).await;
    let wal = directory.path().join("push.db-wal");
    let length = fs::metadata(&wal).unwrap().len();
    damage(&wal, length / 2);
    let lock = fs::File::create(directory.path().join("push.lock")).unwrap();
    lock.lock().unwrap();
    let instances = [(); 4].map(|()| Instance::start(directory.path(), Settings::default()));
    lock.unlock().unwrap();
    for instance in instances {
        let refusal = instance.until_ended().await;
        assert!(refusal.contains("push.db-wal is damaged"), "{refusal}");
    }
    assert_eq!(fs::metadata(&wal).unwrap().len(), length, "nothing was changed");
}

#[tokio::test]
async fn a_log_that_is_damaged_in_the_middle_is_refused() {
    let directory = killed(20).await;
    let wal = directory.path().join("push.db-wal");
    let length = fs::metadata(&wal).unwrap().len();
    damage(&wal, length / 2);
    let refusal = refusal(directory.path(), Settings::default()).await;
    assert!(refusal.contains("push.db-wal is damaged") && refusal.contains("new-epoch"), "{refusal}");
    assert_eq!(fs::metadata(&wal).unwrap().len(), length, "nothing was changed");
}

#[tokio::test]
async fn a_log_with_a_torn_end_loses_what_was_not_confirmed_and_nothing_else() {
    let directory = killed(20).await;
    let wal = directory.path().join("push.db-wal");
    let length = fs::metadata(&wal).unwrap().len();
    damage(&wal, length - 100);
    let instance = Instance::open(directory.path()).await;
    let mut subscriber = instance.follow(&["a"], Position::Earliest);
    assert_eq!(read(&mut subscriber, 19).await, (0..19).map(|number: u32| number.to_string()).collect::<Vec<_>>());
    instance.publish("a", "again").await;
    assert_eq!(next(&mut subscriber).await, ["again"]);
    instance.stop().await;
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_to_is_refused() {
    let Some(mount) = Mount::small() else { return };
    let instance = Instance::open(mount.path()).await;
    instance.publish("a", "1").await;
    instance.stop().await;
    mount.make_read_only();
    let reason = refusal(mount.path(), Settings::default()).await;
    assert!(reason.starts_with("cannot write to") && reason.contains("--data"), "{reason}");
    let reason = refusal(&mount.path().join("below"), Settings::default()).await;
    assert!(reason.starts_with("cannot write to"), "{reason}");
}

#[tokio::test]
async fn a_directory_that_one_process_has_for_itself_is_refused_to_others() {
    let directory = TempDir::new().unwrap();
    let instance = Instance::open_with(directory.path(), Settings::exclusive()).await;
    assert!(!directory.path().join("push.db-shm").exists(), "there is no shared memory");
    for settings in [Settings::default(), Settings::exclusive()] {
        let reason = refusal(directory.path(), settings).await;
        assert!(reason.contains("started with --data-exclusive"), "{reason}");
    }
    let mut subscriber = instance.follow(&["a"], Position::Now);
    instance.publish("a", "1").await;
    assert_eq!(next(&mut subscriber).await, ["1"]);
    drop(subscriber);
    instance.stop().await;

    let instance = Instance::open(directory.path()).await;
    let reason = refusal(directory.path(), Settings::exclusive()).await;
    assert!(reason.contains("used by other processes"), "{reason}");
    instance.stop().await;
}

#[tokio::test]
async fn a_backup_in_another_journal_mode_is_opened() {
    let directory = with_messages(3).await;
    let backup = directory.path().join("backup.db");
    file(directory.path()).execute("VACUUM INTO ?1", [backup.to_str().unwrap()]).unwrap();
    for name in ["push.db", "push.db-wal", "push.db-shm"] {
        let _ = fs::remove_file(directory.path().join(name));
    }
    fs::rename(backup, directory.path().join("push.db")).unwrap();
    let instance = Instance::open(directory.path()).await;
    assert_eq!(read(&mut instance.follow(&["a"], Position::Earliest), 3).await, ["0", "1", "2"]);
    instance.stop().await;
}

#[tokio::test]
async fn instances_that_start_at_once_begin_one_history() {
    let directory = TempDir::new().unwrap();
    let instances: Vec<_> = (0..5).map(|_| Instance::start(directory.path(), Settings::default())).collect();
    for instance in &instances {
        instance.until_known().await;
    }
    let epoch = instances[0].hub.head().epoch;
    assert!(instances.iter().all(|instance| instance.hub.head().epoch == epoch));
    for instance in instances {
        instance.stop().await;
    }
}
