//! No ring is lost when a connection's task and its socket, timer and drain race: the bell under loom, a model checker.

#![allow(missing_docs, clippy::unwrap_used)]

// The very file that connections use, with loom's types in place of its own.
#[allow(dead_code, unreachable_pub)]
#[path = "../src/connection/bell.rs"]
mod bell;

/// The types that `bell` is made of, here.
mod sync {
    use std::task::Waker;

    pub(super) use loom::sync::atomic::{AtomicBool, AtomicU64};

    #[derive(Default)]
    pub(super) struct AtomicWaker(loom::future::AtomicWaker);

    impl AtomicWaker {
        pub(super) fn new() -> Self {
            Self::default()
        }

        pub(super) fn register(&self, waker: &Waker) {
            self.0.register_by_ref(waker);
        }

        pub(super) fn wake(&self) {
            self.0.wake();
        }

        pub(super) fn take(&self) -> Option<Waker> {
            self.0.take_waker()
        }
    }
}

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use bell::Bell;
use loom::future::block_on;
use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use loom::thread;

/// Every interleaving with up to three preemptions, which is where such errors are known to be found.
fn model(check: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(check);
}

/// Waits as a connection does: it looks at `happened` only when the bell was rung. Hangs if a ring is lost, which loom
/// reports as a deadlock.
fn wait(bell: &Bell, happened: impl Fn() -> bool) {
    block_on(poll_fn(|cx| {
        bell.listen(cx.waker());
        if bell.take() && happened() { Poll::Ready(()) } else { Poll::Pending }
    }));
}

#[test]
fn a_ring_that_comes_while_the_task_looks_is_noticed() {
    model(|| {
        let (bell, readable) = (Arc::new(Bell::new()), Arc::new(AtomicBool::new(false)));
        let socket = thread::spawn({
            let (bell, readable) = (Arc::clone(&bell), Arc::clone(&readable));
            move || {
                readable.store(true, Ordering::Release);
                bell.ring();
            }
        });
        wait(&bell, || readable.load(Ordering::Acquire));
        socket.join().unwrap();
    });
}

#[test]
fn of_two_that_ring_at_once_both_are_noticed() {
    model(|| {
        let (bell, count) = (Arc::new(Bell::new()), Arc::new(AtomicU64::new(0)));
        let ringing = [(); 2].map(|()| {
            let (bell, count) = (Arc::clone(&bell), Arc::clone(&count));
            thread::spawn(move || {
                count.fetch_add(1, Ordering::AcqRel);
                bell.ring();
            })
        });
        wait(&bell, || count.load(Ordering::Acquire) == 2);
        ringing.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_ring_while_the_client_goes_away_does_no_harm() {
    model(|| {
        let bell = Arc::new(Bell::new());
        let timers = thread::spawn({
            let bell = Arc::clone(&bell);
            move || bell.ring()
        });
        bell.close();
        timers.join().unwrap();
        assert!(bell.take());
    });
}
