//! One connection, by any method.

use std::time::Duration;

use super::events::Events;
use super::feed::Feed;
use super::poll::Poll;
use super::received::Received;
use crate::connection::{Method, Service, Trouble};

/// The time in which the first sign of life has to come over a connection.
pub(super) const BEGINNING: Duration = Duration::from_secs(10);

/// The time without a sign of life after which a connection is dead, until the service says how often it gives one.
pub(super) const SILENCE: Duration = Duration::from_secs(60);

/// A connection.
pub(crate) enum Session {
    Feed(Box<Feed>),
    Events(Box<Events>),
    Poll(Poll),
}

impl Session {
    /// Connects. When this returns, the service has given its position.
    pub(crate) async fn open(
        method: Method,
        service: &Service,
        topics: &[String],
        since: &str,
    ) -> Result<(Self, String), Trouble> {
        Ok(match method {
            Method::Ws => Feed::open(service, topics, since).await.map(|(it, at)| (Self::Feed(Box::new(it)), at))?,
            Method::Sse => {
                Events::open(service, topics, since).await.map(|(it, at)| (Self::Events(Box::new(it)), at))?
            }
            Method::Poll => Poll::open(service, topics, since).await.map(|(it, at)| (Self::Poll(it), at))?,
        })
    }

    /// Waits for the next thing. The connection has ended when this fails.
    pub(crate) async fn next(&mut self) -> Result<Received, Trouble> {
        match self {
            Self::Feed(it) => it.next().await,
            Self::Events(it) => it.next().await,
            Self::Poll(it) => it.next().await,
        }
    }

    /// Returns whether more has come already.
    pub(super) fn has_more(&mut self) -> bool {
        match self {
            Self::Feed(it) => it.has_more(),
            Self::Events(it) => it.has_more(),
            Self::Poll(it) => it.has_more(),
        }
    }

    /// Says goodbye, where the method has a way to.
    pub(crate) async fn close(self) {
        if let Self::Feed(feed) = self {
            feed.close().await;
        }
    }
}

/// Returns the query of a subscription.
pub(super) fn query<'a>(topics: &'a [String], since: &'a str) -> Vec<(&'a str, &'a str)> {
    let topics = topics.iter().map(|topic| ("topic", topic.as_str()));
    topics.chain([("since", since)]).collect()
}

/// Returns the time without a sign of life after which a connection is dead, where there is one every `period` seconds.
pub(super) fn silence(period: f64) -> Duration {
    Duration::try_from_secs_f64(period * 2.0 + 5.0).unwrap_or(SILENCE)
}

/// The trouble of a connection on which nothing came.
pub(super) fn silent(method: Method, silence: Duration) -> Trouble {
    Trouble::Cut(format!(
        "nothing came by {} for {silence:.0?}, not even a heartbeat; `push doctor` finds out what holds it back",
        method.name()
    ))
}
