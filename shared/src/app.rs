//! What the handlers of a service share.

use std::sync::Arc;
use std::time::Duration;

use crate::backplane::{Backplane, Local, Publication, PublishError, Receipt};
use crate::config::CommonConfig;
use crate::cursor::Position;
use crate::drain::Drain;
use crate::hub::{Encode, Hub, Subscriber};
use crate::topic::TopicFilter;

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

/// Why a publication was not taken. Nothing of it has been published.
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
    /// The backplane did not take it.
    #[error(transparent)]
    Backplane(#[from] PublishError),
}

impl App {
    /// With an empty history of its own. `encode` makes the bytes that the service sends for a message; messages that come
    /// within `gather` of the first are delivered together with it.
    ///
    /// # Errors
    /// When flags contradict each other.
    pub fn new(config: CommonConfig, encode: Encode, gather: Duration) -> anyhow::Result<Arc<Self>> {
        let (message, history) = (config.input.max_message_bytes, config.history.history_bytes);
        // A message is held as it was published and as it is sent; both have to fit.
        if history.as_u64() / 4 < message.as_u64() {
            anyhow::bail!(
                "--history-bytes ({history}) has to be at least four times --max-message-bytes ({message}); \
                 raise the one or lower the other"
            );
        }
        let (local, hub) = Local::new(config.history.limits(), config.history.idempotency_keys, encode);
        let drain = Drain::new(config.connections.drain);
        Ok(Arc::new(Self { config, drain, hub, backplane: Arc::new(local.gather_for(gather)) }))
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
    pub fn subscribe(&self, filters: &[TopicFilter], from: Position) -> Subscriber {
        self.hub.subscribe(filters, from)
    }

    /// `Err` with the reason when the service should be sent no clients.
    pub fn ready(&self) -> Result<(), String> {
        if self.drain.is_draining() {
            return Err("shutting down".to_owned());
        }
        self.backplane.ready()
    }

    /// `--max-message-bytes`.
    pub fn max_message_bytes(&self) -> usize {
        self.config.input.max_message_bytes.as_u64() as usize
    }
}
