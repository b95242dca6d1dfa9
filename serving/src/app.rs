//! What the handlers of a service share.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::config::CommonConfig;
use crate::drain::Drain;
use shared::backplane::{Backplane, NotReady, Publication, PublishError, Receipt};
use shared::cursor::Position;
use shared::hub::{Batch, BatchLimit, Format, Hub, Subscriber};
use shared::topic::TopicFilter;

/// How long a page waits for messages that memory does not hold.
const ARCHIVE_PATIENCE: Duration = Duration::from_secs(5);

/// A running service's state: its history, its backplane, its configuration, and whether it is shutting down.
#[derive(Debug)]
pub struct App {
    /// The flags that all services have.
    pub config: CommonConfig,
    /// Whether the service is shutting down.
    pub drain: Drain,
    hub: Hub,
    backplane: Arc<dyn Backplane>,
}

/// Why a publication or a subscription was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The service is shutting down.
    #[error("shutting down")]
    Draining,
    /// A message is larger than `--max-message-bytes`.
    #[error("a message is larger than {limit} bytes")]
    MessageTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The history cannot be followed or read now.
    #[error("not ready: {0}")]
    NotReady(NotReady),
    /// The backplane did not take it.
    #[error(transparent)]
    Backplane(#[from] PublishError),
}

impl App {
    /// Serves the history of a hub, which the backplane feeds.
    ///
    /// # Errors
    /// When flags contradict each other.
    pub fn new(config: CommonConfig, backplane: Arc<dyn Backplane>, hub: Hub) -> anyhow::Result<Arc<Self>> {
        let (message, history) = (config.input.max_message_bytes, config.history.history_bytes);
        // A message is held as it was published and as it is sent; both have to fit.
        if history.as_u64() / 4 < message.as_u64() {
            anyhow::bail!(
                "--history-bytes ({history}) has to be at least four times --max-message-bytes ({message}); \
                 raise the one or lower the other"
            );
        }
        let drain = Drain::new(config.connections.drain);
        Ok(Arc::new(Self { config, drain, hub, backplane }))
    }

    /// The backplane, for those who feed it or wait for it.
    pub fn backplane(&self) -> Arc<dyn Backplane> {
        Arc::clone(&self.backplane)
    }

    /// Publishes, unless a message is too large or the service is shutting down.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub async fn publish(&self, publication: Publication) -> Result<Receipt, Refusal> {
        if self.drain.is_draining() {
            return Err(Refusal::Draining);
        }
        let limit = self.max_message_bytes();
        if publication.drafts.iter().any(|draft| draft.bytes() > limit) {
            return Err(Refusal::MessageTooLarge { limit });
        }
        Ok(self.backplane.publish(publication).await?)
    }

    /// Follows topics from a position on.
    ///
    /// # Errors
    /// When the history is not known, or it cannot be found out whether the position is in it.
    pub async fn subscribe(&self, filters: &[TopicFilter], from: Position) -> Result<Subscriber, Refusal> {
        self.backplane.known().map_err(Refusal::NotReady)?;
        if let Position::At(cursor) = from
            && !self.hub.knows(cursor)
            && let Some(locating) = self.backplane.locate(cursor)
        {
            locating.await.map_err(Refusal::NotReady)?;
        }
        Ok(self.hub.subscribe(filters, from))
    }

    /// As [`Hub::subscribe_in_memory`].
    ///
    /// # Errors
    /// When the history is not known.
    pub fn subscribe_in_memory(&self, filters: &[TopicFilter], from: Position) -> Result<Subscriber, Refusal> {
        self.backplane.known().map_err(Refusal::NotReady)?;
        Ok(self.hub.subscribe_in_memory(filters, from))
    }

    /// Reads what comes next, without waiting for more than an archive.
    ///
    /// # Errors
    /// When the archive is out of reach. The subscriber is where it was.
    pub async fn read(
        &self,
        subscriber: &mut Subscriber,
        format: &'static Format,
        limit: BatchLimit,
    ) -> Result<Batch, Refusal> {
        let batch = subscriber.read(format, limit);
        if !batch.is_empty() || !batch.more {
            return Ok(batch);
        }
        let reading = async {
            loop {
                subscriber.changed().await;
                let batch = subscriber.read(format, limit);
                if !batch.is_empty() || !batch.more {
                    return batch;
                }
            }
        };
        let out_of_reach = |_| Refusal::NotReady("older messages cannot be read now; try again".into());
        timeout(ARCHIVE_PATIENCE, reading).await.map_err(out_of_reach)
    }

    /// `Err` with the reason when the service should be sent no clients.
    pub fn ready(&self) -> Result<(), NotReady> {
        if self.drain.is_draining() {
            return Err("shutting down".into());
        }
        self.backplane.ready()
    }

    /// `--max-message-bytes`.
    pub fn max_message_bytes(&self) -> usize {
        self.config.input.max_message_bytes.as_u64() as usize
    }
}
