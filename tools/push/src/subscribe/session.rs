//! One connection, by any method.

use super::events::Events;
use super::feed::Feed;
use super::poll::Poll;
use super::received::Received;
use crate::connection::{Method, Service, Trouble};

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
