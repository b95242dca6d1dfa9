//! The write time-out of HTTP/2: a stream whose client takes nothing is given up.
//!
//! hyper asks for the next part of an answer once the client's window has room for it. Where that does not happen for the write time-out, the
//! stream's task is dropped, which resets the stream. The others of the connection go on.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::Executor;
use parking_lot::Mutex;
use tokio::task_local;
use tokio::time::{Instant, Sleep, sleep_until};

task_local! {
    /// That of the stream whose task runs.
    static TAKING: Taking;
}

/// The time since which a stream's client has not taken what it was given. `None` while nothing waits for it.
#[derive(Debug, Clone, Default)]
pub(super) struct Taking(Arc<Mutex<Option<Instant>>>);

impl Taking {
    /// That of the stream whose task this is.
    pub(super) fn of_stream() -> Self {
        TAKING.try_with(Clone::clone).unwrap_or_default()
    }

    /// Notes whether the client was given something that it has to take before more is asked for.
    pub(super) fn watch<T>(&self, part: Poll<Option<T>>) -> Poll<Option<T>> {
        *self.0.lock() = matches!(part, Poll::Ready(Some(_))).then(Instant::now);
        part
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
        tokio::spawn(WatchedStream {
            stream: Box::pin(stream),
            taking: Taking::default(),
            limit: self.limit,
            timer: None,
        });
    }
}

/// The task of a stream.
struct WatchedStream<F> {
    stream: Pin<Box<F>>,
    taking: Taking,
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<F: Future<Output = ()>> Future for WatchedStream<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { stream, taking, limit, timer } = self.get_mut();
        let ended = TAKING.sync_scope(taking.clone(), || stream.as_mut().poll(cx));
        let since = *taking.0.lock();
        let Some(since) = since.filter(|_| ended.is_pending()) else {
            *timer = None;
            return ended;
        };
        let due = since + *limit;
        let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() != due {
            timer.as_mut().reset(due);
        }
        timer.as_mut().poll(cx)
    }
}
