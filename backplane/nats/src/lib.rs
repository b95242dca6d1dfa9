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
//! - `looks`: one look at the stream for all who have come with a cursor that is not known
//! - `publish`: from publishers to the stream; `arrivals`: and back
//! - `archive`: what the stream holds and memory does not; `subjects`: how it is asked for

mod archive;
mod arrivals;
mod config;
mod consumer;
mod fill;
mod follow;
mod intake;
mod link;
mod looks;
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

use archive::StreamArchive;
use arrivals::Arrivals;
pub use config::{BadNatsUrl, NatsConfig, NatsUrl, Secret};
use link::Link;
use looks::Looks;
use shared::backplane::{Backplane, Fatal, IDEMPOTENCY_WINDOW, NotReady, Publication, PublishError, Receipt};
use shared::cursor::{Cursor, Epoch};
use shared::hub::{Appender, HistoryLimits, Hub};
use stream::StreamSpec;

/// How long the stream may take to answer a question.
const ASK: Duration = Duration::from_secs(2);

/// How long a client that has come further on another process may wait for this one.
const CATCH_UP: Duration = Duration::from_secs(1);

/// Follows and feeds a stream that other processes share.
pub struct Nats {
    parts: Arc<Parts>,
    hub: Hub,
    looks: Looks,
    /// Taken by whoever runs the backplane.
    appender: Mutex<Option<Appender>>,
}

/// What following, publishing and reading the archive share.
struct Parts {
    link: Link,
    spec: StreamSpec,
    publish_timeout: Duration,
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
    /// As `Behind`, and nothing may be published: the stream cannot keep the promise.
    Unfit(String),
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
        history: HistoryLimits,
        max_message_bytes: u64,
        gather: Duration,
    ) -> anyhow::Result<(Self, Hub)> {
        let window = IDEMPOTENCY_WINDOW.min(history.age);
        anyhow::ensure!(
            config.publish_timeout < window,
            "--publish-timeout {:?} is too long: what is sent again is recognised for {window:?}, 2 minutes or \
             --history-age where that is shorter; make it shorter than that",
            config.publish_timeout,
        );
        let parts = Arc::new(Parts {
            link: Link::new(config)?,
            spec: StreamSpec::new(config, history, max_message_bytes),
            publish_timeout: config.publish_timeout,
            gather,
            state: Mutex::new(State::Unknown("not connected to NATS yet".to_owned())),
            arrivals: Arrivals::default(),
            doubt: Notify::new(),
        });
        let archive = Arc::new(StreamArchive::new(Arc::clone(&parts)));
        // Nobody follows this history: it makes way for the one that the stream holds.
        let (hub, appender) = Hub::with_archive(Epoch::new(0), history, Some(archive));
        let nats = Self { parts, hub: hub.clone(), looks: Looks::default(), appender: Mutex::new(Some(appender)) };
        Ok((nats, hub))
    }
}

impl Parts {
    fn ready(&self) -> Result<(), String> {
        self.link.up()?;
        match &*self.state.lock() {
            State::Unknown(reason) | State::Behind(reason) | State::Unfit(reason) => Err(reason.clone()),
            State::Following => Ok(()),
        }
    }

    /// `Err` with the reason as long as nothing is known of the history.
    fn known(&self) -> Result<(), String> {
        match &*self.state.lock() {
            State::Unknown(reason) => Err(self.link.up().err().unwrap_or_else(|| reason.clone())),
            State::Behind(_) | State::Unfit(_) | State::Following => Ok(()),
        }
    }

    /// `Err` with the reason where a publication need not even be tried.
    fn open(&self) -> Result<(), String> {
        self.link.up()?;
        match &*self.state.lock() {
            State::Unknown(reason) | State::Unfit(reason) => Err(reason.clone()),
            State::Behind(_) | State::Following => Ok(()),
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
            (State::Unfit(_), State::Unfit(_)) => {}
            (_, State::Unfit(reason)) => tracing::error!(%reason, "nothing can be published"),
            (_, State::Following) => tracing::info!(stream = self.spec.name(), "following the stream"),
            _ => {}
        }
        *current = state;
    }

    /// As long as nothing is known of the history, nothing can be told; later, what is known still holds.
    fn set_trouble(&self, reason: String) {
        let state = match &*self.state.lock() {
            State::Unknown(_) => State::Unknown(reason),
            // Until it is known to be mended.
            State::Unfit(unfit) => State::Unfit(unfit.clone()),
            State::Behind(_) | State::Following => State::Behind(reason),
        };
        self.set_state(state);
    }
}

impl Backplane for Nats {
    fn publish(&self, publication: Publication) -> BoxFuture<'_, Result<Receipt, PublishError>> {
        self.parts.publish(publication).boxed()
    }

    fn ready(&self) -> Result<(), NotReady> {
        Ok(self.parts.ready()?)
    }

    fn known(&self) -> Result<(), NotReady> {
        Ok(self.parts.known()?)
    }

    fn locate(&self, cursor: Cursor) -> Option<BoxFuture<'_, Result<(), NotReady>>> {
        let looking = async move {
            let here = self.hub.head().epoch;
            if cursor.epoch == here && timeout(CATCH_UP, self.parts.arrivals.of(cursor)).await.is_ok() {
                return Ok(());
            }
            self.parts.link.up()?;
            let parts = &self.parts;
            let look = || async { parts.spec.look(&parts.link.jetstream()?).await.map_err(|error| error.to_string()) };
            let seen = self.looks.look(look).await;
            let seen = seen.map_err(|error| format!("it is not known how far the history goes: {error}"))?;
            if seen.epoch() != self.hub.head().epoch {
                // What is known here is a history that has ended, and the cursor may be of the one that is not yet.
                parts.doubt.notify_one();
                let never = Cursor { epoch: here, offset: u64::MAX };
                let _ = timeout(CATCH_UP, parts.arrivals.of(never)).await;
                if seen.epoch() != self.hub.head().epoch {
                    return Err("the stream holds another history, which is not known yet".into());
                }
            }
            // In another history than the cursor's, or before it, the hub does not know it and tells the client.
            self.hub.extend_horizon(Cursor { epoch: seen.epoch(), offset: seen.last });
            Ok(())
        };
        Some(looking.boxed())
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn run(self: Arc<Self>) -> BoxFuture<'static, Fatal> {
        let appender = self.appender.lock().take();
        async move {
            match appender {
                Some(appender) => Fatal::new(follow::run(Arc::clone(&self.parts), self.hub.clone(), appender).await),
                None => Fatal::new("the backplane is run twice"),
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        nats: NatsConfig,
        #[arg(long, default_value = "600")]
        history_age: u64,
    }

    fn nats(flags: &[&str]) -> anyhow::Result<Nats> {
        let flags = [&["test", "--nats", "nats://localhost"], flags].concat();
        let Flags { nats, history_age } = Flags::parse_from(flags);
        let history = HistoryLimits { messages: 1000, age: Duration::from_secs(history_age), bytes: 64 << 20 };
        Ok(Nats::new(&nats, history, 64 << 10, Duration::ZERO)?.0)
    }

    /// Not connected.
    pub(super) fn parts() -> Arc<Parts> {
        nats(&[]).unwrap().parts
    }

    #[test]
    fn what_is_sent_again_is_recognised() {
        for (flags, fits) in [
            (&["--publish-timeout", "119s"][..], true),
            (&["--publish-timeout", "120s"], false),
            (&["--history-age", "5"], false),
            (&["--history-age", "5", "--publish-timeout", "4s"], true),
        ] {
            let refused = nats(flags).err().map(|error| error.to_string());
            assert_eq!(refused.is_none(), fits, "{flags:?}: {refused:?}");
            assert!(refused.is_none_or(|error| error.contains("--publish-timeout")));
        }
    }

    #[test]
    fn nothing_is_published_to_a_stream_that_cannot_keep_the_promise() {
        let parts = parts();
        parts.set_state(State::Following);
        parts.set_state(State::Unfit("no".to_owned()));
        parts.set_trouble("catching up".to_owned());
        assert_eq!(*parts.state.lock(), State::Unfit("no".to_owned()));
    }
}
