//! The backplane of many processes: a NATS JetStream stream orders the messages, and every process follows it.
//!
//! Offsets are the stream's sequence numbers, so a cursor means the same everywhere. A publication goes to the stream and
//! comes back with all others; only what comes back enters the hub.
//!
//! - `link`: the connection, and whether it stands
//! - `stream`: the stream's settings, and which history it holds
//! - `wire`: a message as NATS carries it
//! - `follow`: from the stream to the hub, by way of `consumer` and `intake`; `fill`: the first time, from the stored messages
//! - `losses`: what is missing of what was stored
//! - `publish`: from publishers to the stream; `arrivals`: and back
//! - `archive`: what the stream holds and memory does not; `subjects`: how it is asked for

mod archive;
mod arrivals;
mod consumer;
mod fill;
mod follow;
mod intake;
mod link;
mod losses;
mod publish;
mod stream;
mod subjects;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::{Backplane, Publication, PublishError, Receipt};
use crate::config::{HistoryConfig, NatsConfig};
use crate::cursor::{Cursor, Epoch};
use crate::hub::{Encode, Feed, Hub};
use archive::StreamArchive;
use arrivals::Arrivals;
use link::Link;
use stream::StreamSpec;

/// How long the stream may take to answer a question.
const ASK: Duration = Duration::from_secs(2);

/// How long a client that has come further on another process may wait for this one.
const CATCH_UP: Duration = Duration::from_secs(1);

/// Follows and feeds a stream that other processes share.
pub struct Nats {
    parts: Arc<Parts>,
    hub: Hub,
    /// Taken by whoever runs the backplane.
    feed: Mutex<Option<Feed>>,
}

/// What following, publishing and reading the archive share.
struct Parts {
    link: Link,
    spec: StreamSpec,
    publish_timeout: Duration,
    encode: Encode,
    /// How long subscribers are left asleep for more messages to come.
    gather: Duration,
    state: Mutex<State>,
    arrivals: Arrivals,
    /// Asks the follower to look at the stream now.
    doubt: Notify,
}

/// How far this process is with the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Of what is stored, nothing can be told yet.
    Unknown(String),
    /// The history is known, but clients are better served elsewhere.
    Behind(String),
    /// All that is stored is here, and more is followed.
    Following,
}

impl Nats {
    /// A history that is filled and followed once the backplane runs, and the hub that it feeds.
    ///
    /// # Errors
    /// When the flags contradict each other.
    pub fn new(
        config: &NatsConfig,
        history: &HistoryConfig,
        max_message_bytes: bytesize::ByteSize,
        encode: Encode,
        gather: Duration,
    ) -> anyhow::Result<(Self, Hub)> {
        let parts = Arc::new(Parts {
            link: Link::new(config)?,
            spec: StreamSpec::new(config, history, max_message_bytes),
            publish_timeout: config.publish_timeout,
            encode,
            gather,
            state: Mutex::new(State::Unknown("not connected to NATS yet".to_owned())),
            arrivals: Arrivals::default(),
            doubt: Notify::new(),
        });
        let archive = Arc::new(StreamArchive::new(Arc::clone(&parts)));
        // Nobody follows this history: it makes way for the one that the stream holds.
        let (hub, feed) = Hub::with_archive(Epoch::new(0), history.limits(), encode, Some(archive));
        let nats = Self { parts, hub: hub.clone(), feed: Mutex::new(Some(feed)) };
        Ok((nats, hub))
    }
}

impl Parts {
    fn ready(&self) -> Result<(), String> {
        self.link.up()?;
        match &*self.state.lock() {
            State::Unknown(reason) | State::Behind(reason) => Err(reason.clone()),
            State::Following => Ok(()),
        }
    }

    /// Changes the state, and says so in the log where it is another kind of state.
    fn set_state(&self, state: State) {
        let mut current = self.state.lock();
        if *current == state {
            return;
        }
        match (&*current, &state) {
            // Where NATS is away, that has been said.
            (State::Following, State::Behind(reason) | State::Unknown(reason)) if self.link.up().is_ok() => {
                tracing::warn!(%reason, "not following the stream");
            }
            (_, State::Following) => tracing::info!(stream = self.spec.name(), "following the stream"),
            _ => {}
        }
        *current = state;
    }

    /// As long as nothing is known of the history, nothing can be told; later, what is known still holds.
    fn set_trouble(&self, reason: String) {
        let known = !matches!(*self.state.lock(), State::Unknown(_));
        self.set_state(if known { State::Behind(reason) } else { State::Unknown(reason) });
    }
}

impl Backplane for Nats {
    fn publish(&self, publication: Publication) -> BoxFuture<'_, Result<Receipt, PublishError>> {
        self.parts.publish(publication).boxed()
    }

    fn ready(&self) -> Result<(), String> {
        self.parts.ready()
    }

    fn known(&self) -> Result<(), String> {
        match &*self.parts.state.lock() {
            State::Unknown(reason) => Err(self.parts.link.up().err().unwrap_or_else(|| reason.clone())),
            State::Behind(_) | State::Following => Ok(()),
        }
    }

    fn look_for(&self, cursor: Cursor) -> Option<BoxFuture<'_, Result<(), String>>> {
        if cursor.epoch != self.hub.head().epoch {
            return None;
        }
        let looking = async move {
            if timeout(CATCH_UP, self.parts.arrivals.of(cursor)).await.is_ok() {
                return Ok(());
            }
            self.parts.link.up()?;
            let asked = self.parts.spec.look(&self.parts.link.jetstream()?).await;
            let seen = asked.map_err(|error| format!("it is not known how far the history goes: {error}"))?;
            // In another history than the cursor's, or before it, the hub does not know it and tells the client.
            self.hub.extend_horizon(Cursor { epoch: seen.epoch(), offset: seen.last });
            Ok(())
        };
        Some(looking.boxed())
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn run(self: Arc<Self>) -> BoxFuture<'static, anyhow::Error> {
        let feed = self.feed.lock().take();
        async move {
            match feed {
                Some(feed) => follow::run(Arc::clone(&self.parts), self.hub.clone(), feed).await,
                None => anyhow::anyhow!("the backplane is run twice"),
            }
        }
        .boxed()
    }
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nats").field("state", &*self.parts.state.lock()).finish_non_exhaustive()
    }
}
