//! A history in a file, opened in this process.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use backplane_sqlite::{Sqlite, SqliteConfig};
use bytesize::ByteSize;
use shared::backplane::{Backplane, Publication};
use shared::cursor::Position;
use shared::hub::{BatchLimit, Format, HistoryLimits, Hub, Subscriber};
use shared::message::Draft;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::record::Told;

/// Nothing is evicted: whatever is missing is lost.
const LIMITS: HistoryLimits = HistoryLimits { messages: 1 << 40, age: Duration::from_secs(1 << 30), bytes: 1 << 40 };

const ALL: BatchLimit = BatchLimit { messages: usize::MAX, bytes: usize::MAX };

/// The longest time for anything to happen.
const PATIENCE: Duration = Duration::from_secs(60);

static JSON: Format = Format::new(|message| message.to_json().into());

/// A history in a file, opened in this process.
pub(crate) struct OpenHistory {
    pub(crate) backplane: Arc<Sqlite>,
    pub(crate) hub: Hub,
    running: JoinHandle<()>,
}

impl OpenHistory {
    /// Opens the history in a directory, and waits until it is known.
    pub(crate) async fn open(directory: &Path) -> anyhow::Result<Self> {
        let config =
            SqliteConfig { data: Some(directory.to_owned()), data_exclusive: false, memory_bytes: ByteSize::mib(1) };
        let (sqlite, hub) = Sqlite::new(&config, LIMITS, 1000, 64 << 10, Duration::ZERO)?;
        let backplane = Arc::new(sqlite);
        let mut run = Arc::clone(&backplane).run();
        let known = async {
            while backplane.known().is_err() {
                sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            fatal = &mut run => bail!("{fatal}"),
            known = timeout(PATIENCE, known) => known.context("the history is not known in time")?,
        }
        let running = tokio::spawn(async move {
            let fatal = run.await;
            eprintln!("the history has ended: {fatal}");
        });
        Ok(Self { backplane, hub, running })
    }

    /// Follows all topics from the oldest message on.
    pub(crate) fn follow(&self) -> anyhow::Result<Subscriber> {
        Ok(self.hub.subscribe(&[">".parse()?], Position::Earliest))
    }

    /// Publishes messages on a topic, and returns them with their offsets once they are confirmed.
    pub(crate) async fn publish(&self, topic: &str, texts: Vec<String>) -> anyhow::Result<Vec<Told>> {
        let drafts = texts.iter().map(|text| Draft::text(text.as_str())).collect();
        let publication = Publication::new(topic.parse()?, drafts, None);
        let receipt =
            timeout(PATIENCE, self.backplane.publish(publication)).await.context("not confirmed in time")??;
        let offsets = receipt.each().map(|placed| placed.id.offset);
        let told = offsets.zip(texts).map(|(offset, text)| Told { offset, topic: topic.to_owned(), text });
        Ok(told.collect())
    }

    /// Closes the history, so that the directory can be removed.
    pub(crate) async fn close(self) {
        self.running.abort();
        let _ = self.running.await;
    }
}

/// The next messages of a subscriber, once there are some. A gap is an error.
pub(crate) async fn next(subscriber: &mut Subscriber) -> anyhow::Result<Vec<Told>> {
    loop {
        timeout(PATIENCE, subscriber.changed()).await.context("no message in time")?;
        let batch = subscriber.read(&JSON, ALL);
        if let Some(gap) = batch.gap {
            bail!("a gap: {gap:?}");
        }
        if !batch.entries.is_empty() {
            let told = batch.entries.iter().map(|entry| Told {
                offset: entry.message.id.offset,
                topic: entry.message.topic.as_str().to_owned(),
                text: entry.message.text.to_string(),
            });
            return Ok(told.collect());
        }
    }
}
