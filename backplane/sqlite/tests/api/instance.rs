//! A process's part in a history, as a service has it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use backplane_sqlite::{Sqlite, SqliteConfig};
use clap::Parser;
use shared::backplane::{Backplane, Fatal, Publication, PublishError, Receipt};
use shared::cursor::{Cursor, Position};
use shared::hub::{HistoryLimits, Hub, Subscriber};
use shared::message::Draft;
use testkit::soon;
use tokio::task::JoinHandle;

use super::{ROOMY, filters, until};

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    sqlite: SqliteConfig,
}

/// Parses flags.
pub(super) fn config(directory: &Path, flags: &[&str]) -> SqliteConfig {
    let directory = directory.to_str().unwrap();
    Flags::parse_from([&["test", "--data", directory], flags].concat()).sqlite
}

/// The settings of an instance.
#[derive(Clone, Copy)]
pub(super) struct Settings {
    pub(super) limits: HistoryLimits,
    pub(super) keys: usize,
    pub(super) flags: &'static [&'static str],
}

impl Default for Settings {
    fn default() -> Self {
        Self { limits: ROOMY, keys: 1000, flags: &[] }
    }
}

impl Settings {
    /// A directory for itself.
    pub(super) fn exclusive() -> Self {
        Self { flags: &["--data-exclusive"], ..Self::default() }
    }

    /// Memory for a few messages.
    pub(super) fn little_memory() -> Self {
        Self { flags: &["--memory-bytes", "8 KiB"], ..Self::default() }
    }

    pub(super) fn limits(self, limits: HistoryLimits) -> Self {
        Self { limits, ..self }
    }
}

/// A process's part in a history, as a service has it.
pub(super) struct Instance {
    pub(super) sqlite: Arc<Sqlite>,
    pub(super) hub: Hub,
    running: JoinHandle<Fatal>,
}

impl Instance {
    /// Opens the history of a directory, and waits until it is known.
    pub(super) async fn open(directory: &Path) -> Self {
        Self::open_with(directory, Settings::default()).await
    }

    pub(super) async fn open_with(directory: &Path, settings: Settings) -> Self {
        let instance = Self::start(directory, settings);
        instance.until_known().await;
        instance
    }

    /// Begins to open the history of a directory.
    pub(super) fn start(directory: &Path, settings: Settings) -> Self {
        let Settings { limits, keys, flags } = settings;
        let (sqlite, hub) = Sqlite::new(&config(directory, flags), limits, keys, 1000, Duration::ZERO).unwrap();
        Self::run(sqlite, hub)
    }

    pub(super) fn run(sqlite: Sqlite, hub: Hub) -> Self {
        let sqlite = Arc::new(sqlite);
        let running = tokio::spawn(Arc::clone(&sqlite).run());
        Self { sqlite, hub, running }
    }

    #[track_caller]
    pub(super) fn until_known(&self) -> impl Future<Output = ()> {
        until(|| {
            assert!(!self.running.is_finished(), "it has ended: {:?}", self.sqlite.known());
            self.sqlite.known().is_ok()
        })
    }

    /// Waits until everything works.
    #[track_caller]
    pub(super) fn until_ready(&self) -> impl Future<Output = ()> {
        until(|| self.sqlite.ready().is_ok())
    }

    /// Waits until something does not work, and returns the reason.
    pub(super) async fn until_not_ready(&self) -> String {
        until(|| self.sqlite.ready().is_err()).await;
        self.sqlite.ready().map_or_else(|reason| reason.to_string(), |()| String::new())
    }

    /// Waits until it ends by itself, and returns the reason.
    pub(super) async fn until_ended(self) -> String {
        soon(self.running).await.unwrap().to_string()
    }

    /// Ends it as a process ends.
    pub(super) async fn stop(self) {
        self.running.abort();
        assert!(soon(self.running).await.is_err_and(|error| error.is_cancelled()));
    }

    pub(super) async fn publish(&self, topic: &str, text: &str) -> Cursor {
        self.publish_all(topic, &[text]).await[0]
    }

    pub(super) async fn publish_all(&self, topic: &str, texts: &[&str]) -> Vec<Cursor> {
        let receipt = self.try_publish(topic, texts, None).await.unwrap();
        receipt.each().map(|placed| placed.id).collect()
    }

    pub(super) async fn try_publish(
        &self,
        topic: &str,
        texts: &[&str],
        key: Option<&str>,
    ) -> Result<Receipt, PublishError> {
        let drafts = texts.iter().map(|text| Draft::text(*text)).collect();
        let key = key.map(|key| key.parse().unwrap());
        soon(self.sqlite.publish(Publication::new(topic.parse().unwrap(), drafts, key))).await
    }

    pub(super) fn follow(&self, topics: &[&str], from: Position) -> Subscriber {
        self.hub.subscribe(&filters(topics), from)
    }

    /// Follows from a cursor, as a service does it for a client.
    pub(super) async fn follow_at(&self, topics: &[&str], cursor: Cursor) -> Subscriber {
        if !self.hub.knows(cursor)
            && let Some(locating) = self.sqlite.locate(cursor)
        {
            soon(locating).await.unwrap();
        }
        self.follow(topics, Position::At(cursor))
    }
}
