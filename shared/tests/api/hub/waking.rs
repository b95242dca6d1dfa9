use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use shared::cursor::{Cursor, Epoch, Position};
use shared::hub::{BatchLimit, HistoryLimits, Subscriber};
use testkit::soon;

use super::{ALL, Fed, History, JSON, ROOMY, filters, read_whole};

/// A waker that rings.
#[derive(Default)]
pub(super) struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Bell {
    /// Returns whether it rang since this was called last.
    pub(super) fn rang(&self) -> bool {
        self.0.swap(false, Ordering::SeqCst)
    }

    /// Has the subscriber wait, and says whether it need not.
    pub(super) fn wait(self: &Arc<Self>, subscriber: &mut Subscriber) -> Poll<()> {
        subscriber.poll_changed(&mut Context::from_waker(&Waker::from(Arc::clone(self))))
    }
}

#[tokio::test]
async fn a_message_wakes_the_subscribers_that_wait_for_it() {
    let history = History::new(ROOMY);
    let mut waiting = Vec::new();
    for topics in [&["a.b"][..], &["a.*"], &[">"], &["x", "a.b"], &["x", "y", "a.>"]] {
        let mut subscriber = history.follow(topics, Position::Now);
        waiting.push(tokio::spawn(async move {
            subscriber.changed().await;
            read_whole(&mut subscriber)
        }));
    }
    tokio::task::yield_now().await;
    history.publish("a.b", "m");
    for subscriber in waiting {
        assert_eq!(soon(subscriber).await.unwrap(), ["m"]);
    }
}

#[test]
fn a_message_on_another_topic_wakes_nobody() {
    let history = History::new(ROOMY);
    let bell = Arc::new(Bell::default());
    for topics in [&["a"][..], &["a.*"], &["a", "b.>"]] {
        let mut subscriber = history.follow(topics, Position::Now);
        assert_eq!(bell.wait(&mut subscriber), Poll::Pending);
        history.publish("other", "m");
        assert!(!bell.rang(), "{topics:?}");
        assert_eq!(bell.wait(&mut subscriber), Poll::Pending);
    }
}

#[test]
fn a_subscriber_that_has_something_to_read_does_not_wait() {
    let history = History::new(ROOMY);
    let bell = Arc::new(Bell::default());
    history.publish_all("main", &["1", "2"]);
    let mut subscriber = history.follow(&["main"], Position::Earliest);
    assert_eq!(bell.wait(&mut subscriber), Poll::Ready(()));
    assert!(subscriber.read(&JSON, BatchLimit { messages: 1, ..ALL }).more);
    assert_eq!(bell.wait(&mut subscriber), Poll::Ready(()), "the batch was cut short");
    assert_eq!(read_whole(&mut subscriber), ["2"]);
    assert_eq!(bell.wait(&mut subscriber), Poll::Pending);

    let foreign = Cursor { epoch: Epoch::new(1), offset: 0 };
    let mut subscriber = history.follow(&["empty"], Position::At(foreign));
    assert_eq!(bell.wait(&mut subscriber), Poll::Ready(()), "a gap is to be reported");
    assert!(subscriber.read(&JSON, ALL).gap.is_some());
    assert_eq!(bell.wait(&mut subscriber), Poll::Pending);
}

#[test]
fn a_subscriber_that_comes_between_a_message_and_its_waking_misses_nothing() {
    let mut fed = Fed::new(ROOMY);
    let bell = Arc::new(Bell::default());
    let start = fed.cursor(0);
    let wake = fed.append("a.b", "1", 0);
    for topics in [&["a.b"][..], &["a.*"]] {
        let mut subscriber = fed.hub.subscribe(&filters(topics), Position::At(start));
        assert_eq!(bell.wait(&mut subscriber), Poll::Ready(()));
        assert_eq!(read_whole(&mut subscriber), ["1"]);
    }
    wake.wake();
}

/// Waking is done without locks, so another publication can evict and drop the topic before it is.
#[test]
fn a_message_that_is_gone_before_it_woke_anybody_is_still_reported() {
    for topics in [&["a.b"][..], &["a.*"], &["x", "a.>"]] {
        let mut fed = Fed::new(HistoryLimits { bytes: 1, ..ROOMY });
        let mut subscriber = fed.hub.subscribe(&filters(topics), Position::Now);
        let bell = Arc::new(Bell::default());
        assert_eq!(bell.wait(&mut subscriber), Poll::Pending);
        let first = fed.append("a.b", "gone", 0);
        let second = fed.append("other", "held", 0);
        first.wake();
        second.wake();
        assert!(bell.rang(), "{topics:?} waits on, and does not know that it has missed a message");
        assert!(subscriber.read(&JSON, ALL).gap.is_some());
    }
}
