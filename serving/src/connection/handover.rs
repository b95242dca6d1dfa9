//! The way by which a session gets its connection.
//!
//! A request for a service's own method is answered by a whole reply or by a session. A session that answers a request
//! which hyper has read is left in the [`Handover`]; `requests` takes it from there once nothing of an earlier answer
//! waits in hyper. A session that answers a request read by `head` needs none.

use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::sync::Arc;

use parking_lot::Mutex;

use super::brought::Brought;
use super::response_head::Framing;
use super::session::Session;
use crate::reply::Reply;

/// The answer of a handler.
pub enum Answer {
    /// A whole answer.
    Whole(Box<Reply>),
    /// A session that answers by itself.
    Held(Held),
}

/// A session, and what the request that it answers has brought.
pub struct Held {
    pub(crate) session: Box<dyn Session>,
    pub(crate) brought: Brought,
}

/// Between the handler of a request and the task of its connection.
#[derive(Clone, Default)]
pub(crate) struct Handover {
    held: Arc<Mutex<Option<(Framing, Held)>>>,
}

impl Handover {
    /// Leaves a session for the connection's task and waits to be dropped: the request has no other answer.
    pub(crate) async fn leave(&self, framing: Framing, held: Held) -> Infallible {
        *self.held.lock() = Some((framing, held));
        pending().await
    }

    /// Takes the session, if one was left, and the way in which its answer is written.
    pub(crate) fn take(&self) -> Option<(Framing, Held)> {
        self.held.lock().take()
    }
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self::Whole(Box::new(reply))
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("brought", &self.brought).finish_non_exhaustive()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(reply) => f.debug_tuple("Whole").field(reply).finish(),
            Self::Held(held) => held.fmt(f),
        }
    }
}
