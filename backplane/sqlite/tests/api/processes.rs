//! Several processes, which are killed.

use std::collections::HashMap;
use std::env;
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use shared::cursor::Position;
use tempfile::TempDir;

use super::instance::Instance;
use super::{file, number, read};

const DIRECTORY: &str = "PUSH_TEST_DIRECTORY";

/// The program of the other processes: this one, with this test alone. It publishes for ever, and writes what is confirmed.
#[tokio::test(flavor = "multi_thread")]
async fn publisher() {
    let Ok(directory) = env::var(DIRECTORY) else { return };
    let instance = std::sync::Arc::new(Instance::open(Path::new(&directory)).await);
    for publisher in 0..4 {
        let instance = std::sync::Arc::clone(&instance);
        tokio::spawn(async move {
            for count in 0.. {
                let text = format!("{}-{publisher}-{count}", std::process::id());
                let offset = instance.publish("a", &text).await.offset;
                println!("confirmed {offset} {text}");
            }
        });
    }
    std::future::pending().await
}

struct Publisher {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Publisher {
    fn start(directory: &Path) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "processes::publisher", "--nocapture"])
            .env(DIRECTORY, directory)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next message that is confirmed. `None` once the process is gone.
    fn next(&mut self) -> Option<(u64, String)> {
        loop {
            let line = self.lines.next()?.unwrap();
            if let Some(confirmed) = line.split("confirmed ").nth(1) {
                let (offset, text) = confirmed.split_once(' ')?;
                return Some((offset.parse().ok()?, text.to_owned()));
            }
        }
    }

    /// Kills it, and returns what it had confirmed.
    fn kill(mut self) -> Vec<(u64, String)> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::iter::from_fn(|| self.next()).collect()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_confirmed_survives_every_kill() {
    let directory = TempDir::new().unwrap();
    let mut confirmed: HashMap<u64, String> = HashMap::new();
    let mut epochs = Vec::new();
    for _ in 0..3 {
        let mut publishers: Vec<_> = (0..3).map(|_| Publisher::start(directory.path())).collect();
        for round in 1..4 {
            for publisher in &mut publishers {
                for _ in 0..20 * round {
                    confirmed.extend(publisher.next());
                }
            }
            // One after the other at first, and in the end all that are left.
            if round < 2 {
                confirmed.extend(publishers.remove(0).kill());
            }
        }
        for publisher in publishers {
            confirmed.extend(publisher.kill());
        }
        epochs.push(number(directory.path(), "SELECT epoch FROM history"));
    }
    assert!(epochs.iter().all(|epoch| *epoch == epochs[0]));

    let instance = Instance::open(directory.path()).await;
    let stored = instance.hub.head().offset as usize;
    assert!(stored >= confirmed.len());
    let texts = read(&mut instance.follow(&["a"], Position::Earliest), stored).await;
    for (offset, text) in &confirmed {
        assert_eq!(texts[*offset as usize - 1], *text);
    }
    let distinct: std::collections::HashSet<_> = texts.iter().collect();
    assert_eq!(distinct.len(), texts.len(), "none twice");
    let whole: String = file(directory.path()).query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(whole, "ok");
    instance.stop().await;
}
