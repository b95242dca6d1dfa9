//! A session that answers a request over HTTP/2: its client, and the body that becomes of what it writes.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use hyper::upgrade::Upgraded;
use tokio::time::timeout;

use super::client::Client;
use super::handover::Held;
use super::http2_stall::Taking;
use super::http2_stream::Http2Stream;
use super::peer::Peer;
use super::reading_pace::Uses;
use super::response_head::Framing;
use super::session::{Flow, Session};
use super::transport::Transport;
use super::upgraded::UpgradedStream;
use crate::app::App;
use crate::metrics::End;

/// The number of events that are looked at in one turn.
const EVENTS: usize = 64;

/// A session, and the body that it writes.
pub(super) struct SessionBody {
    client: Client,
    session: Box<dyn Session>,
    has_finished: bool,
    taking: Taking,
}

impl SessionBody {
    /// Begins the session.
    pub(super) fn begin(
        framing: Framing,
        Held { mut session, brought }: Held,
        peer: Peer,
        is_overflow: bool,
        app: &Arc<App>,
    ) -> Self {
        let transport = Transport::Http2(Box::default());
        let mut client = Client::new(transport, peer, Arc::clone(app), is_overflow, None);
        client.set_framing(framing);
        client.never_due();
        client.set_brought(brought);
        client.begin_stay();
        session.begin(&mut client);
        Self { client, session, has_finished: false, taking: Taking::of_stream() }
    }

    /// Waits for the head of the answer.
    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Response<()>>> {
        self.client.listen(cx.waker());
        loop {
            if let Some((status, headers)) = self.stream().head.take() {
                let mut response = Response::new(());
                (*response.status_mut(), *response.headers_mut()) = (status, headers);
                return Poll::Ready(Ok(response));
            }
            if self.has_finished {
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
            ready!(self.poll_event(cx))?;
        }
    }

    /// Waits for the next part of the body; `None` after the last.
    pub(super) fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let part = self.poll_next_part(cx);
        self.taking.watch(part)
    }

    fn poll_next_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        self.client.listen(cx.waker());
        if self.is_ended() {
            return Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())));
        }
        for _ in 0..EVENTS {
            // Nothing of what waits was asked for in time.
            if self.client.is_cut_off() {
                self.client.set_end(End::Expired);
                return Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
            }
            if let Some(part) = self.stream().parts.pop_front() {
                return Poll::Ready(Some(Ok(part)));
            }
            if self.has_finished {
                return Poll::Ready(None);
            }
            if let Err(error) = ready!(self.poll_event(cx)) {
                return Poll::Ready(Some(Err(error)));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Waits for an event and tells the session.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { client, session, has_finished, .. } = self;
        let takes_input = session.takes_input();
        let event = ready!(client.poll_event(cx, takes_input, |cx| session.poll_event(cx)));
        let flow = session.on(event, client);
        *has_finished = flow != Flow::Continue;
        if flow == Flow::Finish {
            client.end_stay(End::Answered);
        }
        // The client has gone, or its rights have ended.
        let is_cut = client.is_gone() || flow == Flow::Drop;
        Poll::Ready(if is_cut { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) })
    }

    /// Goes on over a stream of bytes, to the end. What is read of it is noted in `uses`.
    pub(super) async fn upgrade(mut self, upgraded: Upgraded, uses: Arc<Uses>) {
        let written = self.client.move_to(Transport::Upgraded(Box::new(UpgradedStream::new(upgraded, uses))));
        if let Transport::Http2(stream) = written {
            self.client.write_shared(stream.parts);
        }
        poll_fn(|cx| self.poll_upgraded(cx)).await;
        if !self.client.is_gone() {
            let limit = self.client.app().config.connections.close_timeout;
            let closing = poll_fn(|cx| {
                self.client.listen(cx.waker());
                self.client.poll_shutdown()
            });
            if timeout(limit, closing).await.is_ok() {
                return;
            }
        }
        // A client whose window stays closed takes no end.
        self.taking.end_upgraded();
    }

    /// Waits until the session has finished and everything is written, or the client has gone.
    fn poll_upgraded(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.client.listen(cx.waker());
        if self.is_ended() {
            return Poll::Ready(());
        }
        for _ in 0..EVENTS {
            ready!(self.client.poll_written());
            if self.client.is_gone() {
                return Poll::Ready(());
            }
            if self.has_finished {
                return Poll::Ready(());
            }
            if ready!(self.poll_event(cx)).is_err() {
                return Poll::Ready(());
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Answers a question to all clients, if there is one. Returns whether this one is to end.
    fn is_ended(&mut self) -> bool {
        self.client.is_asked() && self.client.answer_inquiry(self.session.subscriber())
    }

    fn stream(&mut self) -> &mut Http2Stream {
        match self.client.transport().0 {
            Transport::Http2(stream) => stream,
            _ => unreachable!("the client was made so"),
        }
    }
}

impl Drop for SessionBody {
    fn drop(&mut self) {
        if self.taking.is_given_up() {
            self.client.set_end(End::WriteTimeout);
        }
    }
}
