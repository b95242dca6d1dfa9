//! No wake-up is lost when subscribing, publishing and leaving race: the hub's slots under loom, a model checker.

#![allow(missing_docs, clippy::unwrap_used)]

// The very file that the hub uses, with loom's types in place of its own.
#[allow(dead_code, unreachable_pub)]
#[path = "../src/hub/slots.rs"]
mod slots;

/// The primitives of `slots`, here.
mod sync {
    use std::task::Waker;

    pub(super) use loom::sync::atomic::AtomicBool;

    #[derive(Default)]
    pub(super) struct AtomicWaker(loom::future::AtomicWaker);

    impl AtomicWaker {
        pub(super) fn register(&self, waker: &Waker) {
            self.0.register_by_ref(waker);
        }

        pub(super) fn wake(&self) {
            self.0.wake();
        }
    }

    #[derive(Default)]
    pub(super) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(super) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0.lock().unwrap()
        }
    }
}

use std::future::poll_fn;
use std::sync::Arc;

use loom::future::block_on;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;
use slots::{Slots, poll_news};

/// The part of a hub that wakes subscribers.
#[derive(Clone)]
struct Hub {
    slots: Arc<Slots>,
    head: Arc<AtomicU64>,
}

impl Hub {
    fn new() -> Self {
        Self { slots: Arc::new(Slots::default()), head: Arc::new(AtomicU64::new(0)) }
    }

    /// Appends as the hub does: visible first, then woken.
    fn publish(&self) {
        self.head.fetch_add(1, Ordering::AcqRel);
        if self.slots.claim() {
            self.slots.wake_all();
        }
    }

    /// As a subscriber follows, from before the first message to the last. Hangs if a wake-up is lost, which loom
    /// reports as a deadlock.
    fn follow(&self, last: u64) {
        let seat = self.slots.join();
        let mut position = 0;
        while position < last {
            let has_news = || self.head.load(Ordering::Acquire) > position;
            block_on(poll_fn(|cx| poll_news([&seat], cx, has_news)));
            position = self.head.load(Ordering::Acquire);
        }
    }
}

/// Every interleaving with up to three preemptions, which is where such errors are known to be found.
fn model(check: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(check);
}

#[test]
fn a_subscriber_that_comes_while_publishing_is_woken() {
    model(|| {
        let hub = Hub::new();
        let publisher = thread::spawn({
            let hub = hub.clone();
            move || {
                hub.publish();
                hub.publish();
            }
        });
        hub.follow(2);
        publisher.join().unwrap();
    });
}

#[test]
fn two_publishers_that_leave_the_waking_to_each_other_wake() {
    model(|| {
        let hub = Hub::new();
        let publishers = [(); 2].map(|()| {
            let hub = hub.clone();
            thread::spawn(move || hub.publish())
        });
        hub.follow(2);
        publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
    });
}

#[test]
fn a_subscriber_that_leaves_takes_no_wake_up_from_another() {
    model(|| {
        let hub = Hub::new();
        let leaving = hub.slots.join();
        let publisher = thread::spawn({
            let hub = hub.clone();
            move || hub.publish()
        });
        let other = thread::spawn(move || drop(leaving));
        hub.follow(1);
        publisher.join().unwrap();
        other.join().unwrap();
        assert!(hub.slots.is_empty(), "every seat is given back");
    });
}
