//! A session: what serves one client for as long as its request, stream or WebSocket lasts.

use std::task::{Context, Poll};

use shared::hub::Subscriber;

use super::client::Client;
use super::event::Event;

/// A state machine that receives events and answers by writing to its client.
///
/// It never blocks: a session that has nothing to do returns, and is called again with the next event. Bytes that the
/// client does not take at once wait in the client, and no event comes until they are gone, so a session has at most
/// one batch on its way. A client that a read or a write finds gone, or that takes nothing for the write time-out, ends
/// its session; that it has closed its side is found by reading after [`Event::Readable`].
pub trait Session: Send {
    /// Begins the answer. Called once, before any event.
    fn begin(&mut self, client: &mut Client);

    /// Does what an event asks for.
    fn on(&mut self, event: Event, client: &mut Client) -> Flow;

    /// Polls for the session's own events, [`Event::News`] and [`Event::Done`], and registers the waker for them.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event>;

    /// Returns whether [`Event::Readable`] may come. While it may not, the client's bytes stay where they are, and the
    /// client is held up by its own connection.
    fn takes_input(&self) -> bool {
        true
    }

    /// The client's cursor into the history, if it has one: for those who look for slow readers.
    fn subscriber(&self) -> Option<&Subscriber> {
        None
    }
}

/// The outcome of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Flow {
    /// The session goes on.
    Continue,
    /// The session has written everything that it had to. The connection serves its next request after a whole answer if
    /// the client keeps it alive; after a stream or an upgrade it is closed.
    Finish,
    /// The connection is dropped, as nobody is there to read more.
    Drop,
}
