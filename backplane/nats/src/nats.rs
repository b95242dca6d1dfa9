//! The backplane.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::time::timeout;

use crate::archive::StreamArchive;
use crate::config::NatsConfig;
use crate::follower::Follower;
use crate::link::Link;
use crate::publisher::Publisher;
use crate::replica::Replica;
use crate::snapshots::Snapshots;
use crate::stream::StreamSettings;
use crate::url::BadNatsUrl;
use shared::backplane::{Backplane, Fatal, Figure, IDEMPOTENCY_WINDOW, NotReady, Publication, PublishError, Receipt};
use shared::cursor::{Cursor, Epoch};
use shared::hub::{HistoryLimits, Hub};

/// The time that a client which has come further on another process may wait for this one.
const CATCH_UP: Duration = Duration::from_secs(1);

/// The history that a NATS stream holds for many processes.
pub struct Nats {
    replica: Arc<Replica>,
    hub: Hub,
    publisher: Publisher,
    snapshots: Snapshots,
    /// Taken by the first call of [`Backplane::run`].
    follower: Mutex<Option<Follower>>,
}

/// The reason why the flags cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The URLs of the servers cannot be used.
    #[error(transparent)]
    Url(#[from] BadNatsUrl),
    /// A message could be sent again when the stream does not recognise it any more.
    #[error(
        "--publish-timeout {timeout:?} is too long: a repeated message is recognised for {window:?}, 2 minutes or \
         --history-age where that is shorter; make it shorter than that"
    )]
    PublishTimeout {
        /// The flag's value.
        timeout: Duration,
        /// The time for which the stream recognises a repeated message.
        window: Duration,
    },
}

impl Nats {
    /// Returns a history that is filled and followed once the backplane runs, and the hub that it feeds. Subscribers are
    /// left asleep for the duration `gather`, so that they are woken once for several messages.
    ///
    /// # Errors
    /// When the flags contradict each other.
    pub fn new(
        config: &NatsConfig,
        history: HistoryLimits,
        max_message_bytes: u64,
        gather: Duration,
    ) -> Result<(Self, Hub), ConfigError> {
        let window = IDEMPOTENCY_WINDOW.min(history.age);
        let publish_timeout = config.publish_timeout;
        if publish_timeout >= window {
            return Err(ConfigError::PublishTimeout { timeout: publish_timeout, window });
        }
        if !config.sync_always {
            tracing::warn!(
                "a NATS server whose system crashes or loses power may lose messages that it has confirmed, even where \
                 other servers keep the stream too: set sync_interval: always in the jetstream block of each, and then \
                 --nats-sync-always"
            );
        }
        let settings = StreamSettings::new(config, history, max_message_bytes);
        let replica = Arc::new(Replica::new(Link::new(config)?, settings));
        let archive = Arc::new(StreamArchive::new(Arc::clone(&replica)));
        // This history is never filled: the one that the stream holds replaces it.
        let (hub, appender) = Hub::with_archive(Epoch::new(0), history, Some(archive));
        let nats = Self {
            publisher: Publisher::new(Arc::clone(&replica), publish_timeout),
            snapshots: Snapshots::default(),
            follower: Mutex::new(Some(Follower::new(Arc::clone(&replica), hub.clone(), appender, gather))),
            replica,
            hub: hub.clone(),
        };
        Ok((nats, hub))
    }

    async fn locate(&self, cursor: Cursor) -> Result<(), NotReady> {
        let progress = &self.replica.progress;
        let here = self.hub.head().epoch;
        if cursor.epoch == here && timeout(CATCH_UP, progress.until(cursor)).await.is_ok() {
            return Ok(());
        }
        self.replica.link.up().map_err(|error| error.to_string())?;
        let snapshot = self.snapshots.take(|| self.replica.stream.snapshot()).await;
        let snapshot = snapshot.map_err(|error| format!("it is not known how far the history goes: {error}"))?;
        if snapshot.epoch() != self.hub.head().epoch {
            // The history here has ended, and the cursor may be of the next one, which this process does not have yet.
            self.replica.inspection_wanted.notify_one();
            let _ = timeout(CATCH_UP, progress.until_other_than(here)).await;
            if snapshot.epoch() != self.hub.head().epoch {
                return Err("the stream holds another history, which is not known yet".into());
            }
        }
        // A cursor of another history, or after the end of this one, stays unknown to the hub, which sends a gap.
        self.hub.extend_horizon(Cursor { epoch: snapshot.epoch(), offset: snapshot.last });
        Ok(())
    }
}

impl Backplane for Nats {
    fn publish(&self, publication: Publication) -> BoxFuture<'_, Result<Receipt, PublishError>> {
        self.publisher.publish(publication).boxed()
    }

    fn ready(&self) -> Result<(), NotReady> {
        self.replica.ready()
    }

    fn publishable(&self) -> Result<(), NotReady> {
        self.replica.publishable()
    }

    fn known(&self) -> Result<(), NotReady> {
        self.replica.known()
    }

    fn locate(&self, cursor: Cursor) -> Option<BoxFuture<'_, Result<(), NotReady>>> {
        Some(self.locate(cursor).boxed())
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn figures(&self) -> Vec<Figure> {
        let (is_up, connections) = self.replica.link.condition();
        self.replica.figures.figures(is_up, connections)
    }

    fn run(self: Arc<Self>) -> BoxFuture<'static, Fatal> {
        let follower = self.follower.lock().take();
        async move {
            match follower {
                Some(follower) => follower.run().await,
                None => Fatal::new("the backplane is run twice"),
            }
        }
        .boxed()
    }
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nats").field("status", &self.replica.status()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::config;

    fn nats(history_age: u64, flags: &[&str]) -> Result<(Nats, Hub), ConfigError> {
        let config = config(&[&["--nats", "nats://localhost"], flags].concat());
        let limits = HistoryLimits { messages: 1000, age: Duration::from_secs(history_age), bytes: 64 << 20 };
        Nats::new(&config, limits, 64 << 10, Duration::ZERO)
    }

    #[test]
    fn a_message_is_recognised_for_longer_than_it_is_sent_again() {
        for (history_age, flags, fits) in [
            (600, &["--publish-timeout", "119s"][..], true),
            (600, &["--publish-timeout", "120s"], false),
            (5, &[], false),
            (5, &["--publish-timeout", "4s"], true),
        ] {
            let refused = nats(history_age, flags).err().map(|error| error.to_string());
            assert_eq!(refused.is_none(), fits, "{flags:?}: {refused:?}");
            assert!(refused.is_none_or(|error| error.contains("--publish-timeout")));
        }
    }
}
