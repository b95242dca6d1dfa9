//! What a connection waits for, at no more cost than what happens.
//!
//! Most wake-ups are news. So that they need not look at the socket, the timer and the drain as well, those three have a
//! waker of their own, which leaves a mark: they are polled only when it is there.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use pin_project_lite::pin_project;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::drain::Drain;

/// What has happened on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The client has sent something, or has gone.
    Readable,
    /// What the session waits for beside its client, such as messages for it.
    News,
    /// The time that the session has set is here.
    Due,
    /// The service has begun to shut down. Told once a connection.
    Draining,
    /// The service is shutting down and it is this connection's turn to go. Told once a connection.
    Released,
}

/// Waits on behalf of one connection, for its whole life.
pub(super) struct Watch {
    drain: Drain,
    clock: Pin<Box<Clock>>,
    /// What the session has asked for.
    due: Instant,
    release: Release,
    /// The clock has been set and not been looked at since.
    set: bool,
    bell: Option<Bell>,
}

/// When it is the connection's turn to go.
#[derive(Debug, Clone, Copy)]
enum Release {
    /// Not yet: the service is not shutting down. Whether the bell is rung when it begins to.
    Unknown {
        heard: bool,
    },
    At(Instant),
    Told,
}

pin_project! {
    struct Clock {
        #[pin]
        sleep: Sleep,
        #[pin]
        begun: WaitForCancellationFutureOwned,
    }
}

impl Watch {
    pub(super) fn new(drain: Drain, due: Instant) -> Self {
        let clock = Box::pin(Clock { sleep: sleep_until(due), begun: drain.begun() });
        Self { drain, clock, due, release: Release::Unknown { heard: false }, set: true, bell: None }
    }

    /// Sets the time of the next [`Event::Due`], in place of the last one set.
    pub(super) fn set_due(&mut self, due: Instant) {
        self.due = due;
        self.set_clock();
    }

    fn set_clock(&mut self) {
        let next = if let Release::At(release) = self.release { release.min(self.due) } else { self.due };
        self.clock.as_mut().project().sleep.reset(next);
        self.set = true;
    }

    /// Wakes the task, and has the next wait look at more than news.
    pub(super) fn waker(&self) -> &Waker {
        self.bell.as_ref().map_or(Waker::noop(), |bell| &bell.waker)
    }

    /// Has everything polled the next time, and the wakers put in place anew.
    pub(super) fn look_again(&mut self) {
        if let Some(bell) = &self.bell {
            bell.mark.rung.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        stream: &TcpStream,
        news: impl FnOnce(&mut Context<'_>) -> Poll<()>,
    ) -> Poll<Event> {
        if self.bell.as_ref().is_none_or(|bell| !bell.mark.task.will_wake(cx.waker())) {
            self.bell = Some(Bell::new(cx.waker()));
            if let Release::Unknown { heard } = &mut self.release {
                *heard = false;
            }
        }
        if let Some(bell) = self.bell.as_ref().filter(|bell| bell.mark.take()) {
            let waker = bell.waker.clone();
            if let Poll::Ready(event) = self.poll_rare(&mut Context::from_waker(&waker), stream) {
                // The others have not been looked at.
                self.look_again();
                return Poll::Ready(event);
            }
        } else if self.set
            && let Some(bell) = &self.bell
        {
            let waker = bell.waker.clone();
            if let Poll::Ready(event) = self.poll_clock(&mut Context::from_waker(&waker)) {
                return Poll::Ready(event);
            }
        }
        news(cx).map(|()| Event::News)
    }

    fn poll_rare(&mut self, cx: &mut Context<'_>, stream: &TcpStream) -> Poll<Event> {
        if let Release::Unknown { heard } = &mut self.release
            && (!*heard || self.drain.is_draining())
        {
            *heard = true;
            if self.clock.as_mut().project().begun.poll(cx).is_ready() {
                self.release = Release::At(self.drain.release());
                self.set_clock();
                return Poll::Ready(Event::Draining);
            }
        }
        // Before the client, so that one which never stops sending does not keep the session from its time. News it does not
        // keep away either: tokio has the socket pretend now and then that there is nothing.
        if let Poll::Ready(event) = self.poll_clock(cx) {
            return Poll::Ready(event);
        }
        // An error is found by whoever reads.
        stream.poll_read_ready(cx).map(|_| Event::Readable)
    }

    fn poll_clock(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        self.set = false;
        if self.clock.as_mut().project().sleep.poll(cx).is_ready() {
            return Poll::Ready(match self.release {
                Release::At(release) if release <= Instant::now() => {
                    self.release = Release::Told;
                    self.set_clock();
                    Event::Released
                }
                _ => Event::Due,
            });
        }
        Poll::Pending
    }
}

/// Wakes the task and leaves a mark.
struct Bell {
    mark: Arc<Mark>,
    waker: Waker,
}

struct Mark {
    rung: AtomicBool,
    task: Waker,
}

impl Bell {
    fn new(task: &Waker) -> Self {
        let mark = Arc::new(Mark { rung: AtomicBool::new(true), task: task.clone() });
        Self { waker: Waker::from(Arc::clone(&mark)), mark }
    }
}

impl Mark {
    fn take(&self) -> bool {
        self.rung.load(Ordering::Acquire) && self.rung.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Mark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("due", &self.due).field("release", &self.release).finish_non_exhaustive()
    }
}
