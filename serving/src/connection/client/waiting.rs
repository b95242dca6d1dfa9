//! Waiting for a client: for what it takes and sends, for the time, and for the drain.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::AsyncWrite;
use tokio::time::Instant;

use super::super::event::Event;
use super::super::expiry::{Due, Expiry};
use super::{Client, NEVER, Release};
use crate::metrics::End;

impl Client {
    /// The time of the next [`Event::Due`].
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// Sets the time of the next [`Event::Due`], in place of the last one set.
    pub fn set_due(&mut self, due: Instant) {
        self.due = due;
        self.set_timer();
    }

    /// Cancels [`Event::Due`] until a time is set again.
    pub fn never_due(&mut self) {
        self.set_due(Instant::now() + NEVER);
    }

    /// Repeats [`Event::Released`] for a session that begins after its connection's turn to go has come.
    pub(crate) fn repeat_release(&mut self) {
        if matches!(self.release, Release::Reported) {
            self.release = Release::At(Instant::now());
            self.bell.keep_rung();
        }
    }

    /// Makes the next poll look at everything, without waking the task. Called when the client comes back from hyper,
    /// and before each request.
    pub(crate) fn look_again(&self) {
        self.bell.keep_rung();
    }

    /// Makes the bell wake this task from now on. Called at the beginning of each poll.
    pub(crate) fn listen(&self, task: &Waker) {
        self.bell.listen(task);
    }

    /// Waits until the client has taken everything that was written.
    pub(crate) fn poll_written(&mut self) -> Poll<()> {
        if self.output.is_empty() {
            return Poll::Ready(());
        }
        let waker = Waker::from(Arc::clone(&self.bell));
        let appended = self.output.appended();
        match self.output.poll_written(&mut self.transport, &mut Context::from_waker(&waker)) {
            Poll::Ready(Ok(())) => {
                if let Some(appended) = appended {
                    self.app.metrics().measure_delay(appended.elapsed());
                }
                // For the events that had to wait meanwhile.
                self.bell.keep_rung();
                self.set_timer();
            }
            Poll::Ready(Err(error)) => self.lose(&error),
            Poll::Pending => {
                let timeout = self.app.config.connections.write_timeout;
                let has_expired = self.is_cut_off();
                if !has_expired && !self.output.is_stalled(&self.transport, timeout) {
                    self.set_timer();
                    return Poll::Pending;
                }
                let (end, reason) = match has_expired {
                    true => (End::Expired, "its token has expired"),
                    false => (End::WriteTimeout, "the client takes nothing"),
                };
                self.set_end(end);
                self.lose(&io::Error::new(io::ErrorKind::TimedOut, reason));
            }
        }
        Poll::Ready(())
    }

    /// Waits for the next event: of the connection, or of what serves it.
    pub(crate) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
        takes_input: bool,
        news: impl FnOnce(&mut Context<'_>) -> Poll<Event>,
    ) -> Poll<Event> {
        if self.bell.take()
            && let Poll::Ready(event) = self.poll_rare(takes_input)
        {
            // The others have not been looked at.
            self.bell.keep_rung();
            return Poll::Ready(event);
        }
        news(cx)
    }

    fn poll_rare(&mut self, takes_input: bool) -> Poll<Event> {
        // The timer is set first: the drain rings only the bells that are queued.
        self.set_timer();
        if matches!(self.release, Release::Unknown) && !self.app.admission.is_open() {
            self.release = Release::At(self.app.admission.drain().release());
            return Poll::Ready(Event::Draining);
        }
        // Time comes before input, so that a client which never stops sending cannot delay it. Such a client cannot
        // delay news either, since tokio's cooperative budget makes a busy socket return Pending now and then.
        let now = Instant::now();
        if let Release::At(release) = self.release
            && release <= now
        {
            self.release = Release::Reported;
            return Poll::Ready(Event::Released);
        }
        match self.expiry_mut().map_or(Due::Nothing, |expiry| expiry.step(now)) {
            Due::Nothing => {}
            Due::Event(event) => return Poll::Ready(event),
            Due::CutOff => {
                self.set_end(End::Expired);
                self.lose(&io::Error::new(io::ErrorKind::TimedOut, "its token has expired"));
                return Poll::Ready(Event::Due);
            }
        }
        if self.due <= now {
            return Poll::Ready(Event::Due);
        }
        if !takes_input {
            // To be looked at once the session takes input again.
            self.bell.keep_rung();
            return Poll::Pending;
        }
        let waker = Waker::from(Arc::clone(&self.bell));
        // An error is found by whoever reads.
        ready!(self.transport.poll_readable(&mut Context::from_waker(&waker)));
        Poll::Ready(Event::Readable)
    }

    /// Closes the server's side. What the transport writes for that is waited for as all that is written.
    pub(crate) fn poll_shutdown(&mut self) -> Poll<io::Result<()>> {
        let waker = Waker::from(Arc::clone(&self.bell));
        let closed = Pin::new(&mut self.transport).poll_shutdown(&mut Context::from_waker(&waker));
        if closed.is_pending() {
            self.output.await_transport();
            self.set_timer();
        }
        closed
    }

    /// Sets the time at which the bell is rung next.
    pub(super) fn set_timer(&self) {
        let mut due = self.due;
        if let Release::At(release) = self.release {
            due = due.min(release);
        }
        if let Some(next) = self.expiry().and_then(Expiry::next) {
            due = due.min(next);
        }
        if let Some(stall) = self.output.stall() {
            due = stall.next_check(self.app.config.connections.write_timeout);
            due = self.expiry().map_or(due, |expiry| due.min(expiry.cut_off()));
        }
        self.app.timers.set(&self.bell, due);
    }
}
