//! The write time-out of HTTP/2: a stream whose client takes nothing is given up.
//!
//! hyper asks for the next part of an answer once the client's window has room for it. Where that does not happen for the write time-out, the
//! stream's task is dropped, which resets the stream. The others of the connection go on.
//!
//! A stream that becomes a WebSocket goes on in another task of hyper's, which waits for the window even when nobody writes to it any more. So
//! whoever is done with the WebSocket ends that task too.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::Executor;
use tokio::task_local;
use tokio::time::{Sleep, sleep};
use tokio_util::sync::CancellationToken;

task_local! {
    /// That of the stream whose task runs.
    static TAKING: Taking;
}

/// The parts of an answer that were given to hyper. Written and read by the stream's task alone.
#[derive(Debug, Clone, Default)]
pub(super) struct Taking(Arc<Parts>);

#[derive(Debug, Default)]
struct Parts {
    given: AtomicU64,
    /// The last of them has to be taken before more is asked for.
    waits: AtomicBool,
    is_given_up: AtomicBool,
    /// Ends the task in which the stream goes on as a WebSocket, if it does.
    upgraded: OnceLock<CancellationToken>,
}

impl Taking {
    /// That of the stream whose task this is.
    pub(super) fn of_stream() -> Self {
        TAKING.try_with(Clone::clone).unwrap_or_default()
    }

    /// Notes whether the client was given something that it has to take before more is asked for.
    pub(super) fn watch<T>(&self, part: Poll<Option<T>>) -> Poll<Option<T>> {
        let is_given = matches!(part, Poll::Ready(Some(_)));
        self.0.given.fetch_add(is_given.into(), Ordering::Relaxed);
        self.0.waits.store(is_given, Ordering::Relaxed);
        part
    }

    /// Gives up the WebSocket that the stream has become, whatever its client has not taken.
    pub(super) fn end_upgraded(&self) {
        if let Some(upgraded) = self.0.upgraded.get() {
            upgraded.cancel();
        }
    }

    /// Returns whether the client has taken nothing for the write time-out.
    pub(super) fn is_given_up(&self) -> bool {
        self.0.is_given_up.load(Ordering::Relaxed)
    }
}

/// Runs the task of each stream, as long as its client takes something.
#[derive(Debug, Clone)]
pub(super) struct StreamExecutor {
    /// The write time-out.
    pub(super) limit: Duration,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for StreamExecutor {
    fn execute(&self, stream: F) {
        // hyper begins the task of a WebSocket within that of its stream.
        if let Ok(upgraded) = TAKING.try_with(|taking| taking.0.upgraded.get_or_init(CancellationToken::new).clone()) {
            tokio::spawn(async move { upgraded.run_until_cancelled(stream).await });
            return;
        }
        let (stream, taking) = (Box::pin(stream), Taking::default());
        tokio::spawn(WatchedStream { stream, taking, limit: self.limit, stall: None });
    }
}

/// The task of a stream.
struct WatchedStream<F> {
    stream: Pin<Box<F>>,
    taking: Taking,
    limit: Duration,
    /// The number of parts with which the stream has stalled, and the time-out.
    stall: Option<(u64, Pin<Box<Sleep>>)>,
}

impl<F: Future<Output = ()>> Future for WatchedStream<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { stream, taking, limit, stall } = self.get_mut();
        let ended = TAKING.sync_scope(taking.clone(), || stream.as_mut().poll(cx));
        let given = taking.0.given.load(Ordering::Relaxed);
        if ended.is_ready() || !taking.0.waits.load(Ordering::Relaxed) {
            *stall = None;
            return ended;
        }
        let (_, timer) = match stall.take() {
            Some((stalled, timer)) if stalled == given => stall.insert((stalled, timer)),
            _ => stall.insert((given, Box::pin(sleep(*limit)))),
        };
        ready!(timer.as_mut().poll(cx));
        taking.0.is_given_up.store(true, Ordering::Relaxed);
        Poll::Ready(())
    }
}
