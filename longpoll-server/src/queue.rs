//! The queue that callers without a cursor share, one per topic.
//!
//! A queued message goes to the first caller. When no message is queued, callers wait, and the next message goes to all
//! that wait then. The queue is no list of messages: it is a position in the topic's history, so its length is bounded as
//! the history is.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use parking_lot::Mutex;
use serving::access::Access;
use serving::app::App;
use serving::page;
use serving::refusal::Refusal;
use shared::cursor::{Cursor, Position};
use shared::hub::{BatchLimit, Entry, Subscriber};
use shared::topic::Topic;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

const ONE: BatchLimit = BatchLimit { messages: 1, bytes: usize::MAX };

/// The queues of all topics that have one.
pub(crate) struct Queues {
    app: Arc<App>,
    by_topic: Mutex<HashMap<Topic, Queue>>,
}

/// The state of one topic's queue.
struct Queue {
    /// The position of the last message that was taken. Callers wait for the first message after it.
    taken: Position,
    /// Held by each caller that waits for that message.
    waiters: Arc<()>,
    /// Notified when the message has been taken, and when a waiter leaves.
    changed: Arc<Notify>,
}

/// A claim to the next message, which can be dropped without harm.
pub(crate) struct Turn {
    queues: Arc<Queues>,
    topic: Topic,
    waiters: Arc<()>,
    changed: Arc<Notify>,
    subscriber: Subscriber,
}

/// The outcome of [`Queues::take`].
#[derive(Debug)]
pub(crate) enum Taken {
    /// The first message that was queued.
    Message(Arc<Entry>),
    /// No message was queued.
    Turn(Turn),
}

/// The outcome of one attempt.
enum Attempt {
    Taken(Taken),
    /// The first message is for others that wait, until this resolves.
    ForOthers(OwnedNotified),
}

impl Queues {
    pub(crate) fn new(app: Arc<App>) -> Self {
        Self { app, by_topic: Mutex::default() }
    }

    /// Takes the first message that is queued, or a turn to wait for the next.
    ///
    /// A message that came while callers waited belongs to them. It is queued again only if all of them have left;
    /// their tasks are awake and will show that, so this call waits.
    ///
    /// # Errors
    /// [`Refusal::Denied`] when the caller may not, and [`Refusal::NotReady`] when the history is not known yet.
    pub(crate) async fn take(self: &Arc<Self>, topic: &Topic, access: &Access) -> Result<Taken, Refusal> {
        loop {
            match self.try_take(topic, access)? {
                Attempt::Taken(taken) => return Ok(taken),
                Attempt::ForOthers(changed) => changed.await,
            }
        }
    }

    /// As [`Queues::take`], without waiting.
    fn try_take(self: &Arc<Self>, topic: &Topic, access: &Access) -> Result<Attempt, Refusal> {
        let mut by_topic = self.by_topic.lock();
        let taken = by_topic.get(topic).map_or(Position::Earliest, |queue| queue.taken);
        let mut subscriber = self.app.subscribe_in_memory(&[topic.clone().into()], taken, access)?;
        if !by_topic.contains_key(topic) {
            self.make_room(&mut by_topic);
        }
        let queue = by_topic.entry(topic.clone()).or_default();
        if let Some((message, cursor)) = next(&mut subscriber) {
            if queue.has_waiters() {
                return Ok(Attempt::ForOthers(Arc::clone(&queue.changed).notified_owned()));
            }
            queue.advance(cursor);
            return Ok(Attempt::Taken(Taken::Message(message)));
        }
        queue.taken = Position::At(subscriber.cursor());
        let (waiters, changed) = (Arc::clone(&queue.waiters), Arc::clone(&queue.changed));
        let turn = Turn { queues: Arc::clone(self), topic: topic.clone(), waiters, changed, subscriber };
        Ok(Attempt::Taken(Taken::Turn(turn)))
    }

    /// Before the map grows, drops the queues that have nothing to take and nobody waiting: they would be recreated
    /// with the same state.
    fn make_room(&self, by_topic: &mut HashMap<Topic, Queue>) {
        if by_topic.len() == by_topic.capacity() {
            by_topic.retain(|topic, queue| {
                let filter = [topic.clone().into()];
                let history = self.app.subscribe_in_memory(&filter, Position::Earliest, &Access::EVERYTHING);
                queue.has_waiters() || history.is_ok_and(|mut history| next(&mut history).is_some())
            });
            by_topic.shrink_to(by_topic.len() * 2);
        }
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self { taken: Position::Earliest, waiters: Arc::default(), changed: Arc::default() }
    }
}

impl Queue {
    fn has_waiters(&self) -> bool {
        Arc::strong_count(&self.waiters) > 1
    }

    /// Moves past a message, which everybody that waited has now.
    fn advance(&mut self, taken: Cursor) {
        self.taken = Position::At(taken);
        self.waiters = Arc::default();
        self.changed.notify_waiters();
    }
}

impl Turn {
    /// Waits for the message and takes it.
    pub(crate) fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Arc<Entry>> {
        let queues = Arc::clone(&self.queues);
        loop {
            ready!(self.subscriber.poll_changed(cx));
            if let Some(message) = self.take(&mut queues.by_topic.lock()) {
                return Poll::Ready(message);
            }
        }
    }

    /// The place of the caller in the topic's history.
    pub(crate) fn subscriber(&self) -> &Subscriber {
        &self.subscriber
    }

    /// Ends the wait, unless the message has come just now: then it is taken after all.
    pub(crate) fn give_up(mut self) -> Option<Arc<Entry>> {
        let queues = Arc::clone(&self.queues);
        let mut by_topic = queues.by_topic.lock();
        let message = self.take(&mut by_topic);
        // The turn is dropped under the lock, so that no message can be assigned to it.
        drop(self);
        message
    }

    fn take(&mut self, by_topic: &mut HashMap<Topic, Queue>) -> Option<Arc<Entry>> {
        let (message, cursor) = next(&mut self.subscriber)?;
        let mine = |queue: &&mut Queue| Arc::ptr_eq(&queue.waiters, &self.waiters);
        if let Some(queue) = by_topic.get_mut(&self.topic).filter(mine) {
            queue.advance(cursor);
        }
        Some(message)
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // The waiters are cleared first: whoever is notified looks at them.
        self.waiters = Arc::default();
        self.changed.notify_waiters();
    }
}

fn next(subscriber: &mut Subscriber) -> Option<(Arc<Entry>, Cursor)> {
    let entry = subscriber.read(&page::JSON, ONE).entries.pop()?;
    let cursor = entry.message.id;
    Some((entry, cursor))
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use clap::Parser;
    use futures_util::FutureExt;
    use shared::backplane::{Memory, Publication};
    use shared::message::Draft;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        common: serving::config::CommonConfig,
    }

    fn queues() -> Arc<Queues> {
        let flags = Flags::try_parse_from(["test"]).unwrap();
        let (memory, hub) = Memory::new(flags.common.history.limits(), 1);
        Arc::new(Queues::new(
            App::new(flags.common, serving::metrics::Method::LongPolling, Arc::new(memory), hub).unwrap(),
        ))
    }

    fn text(entry: Arc<Entry>) -> String {
        entry.message.text.to_string()
    }

    async fn publish(queues: &Queues, text: &str) {
        let drafts = vec![Draft::text(text)];
        queues.app.publish(Publication::new(Topic::default(), drafts, None), &Access::EVERYTHING, None).await.unwrap();
    }

    fn turn(taken: Result<Taken, Refusal>) -> Turn {
        match taken.unwrap() {
            Taken::Turn(turn) => turn,
            Taken::Message(message) => panic!("{message:?} was queued"),
        }
    }

    #[tokio::test]
    async fn a_message_that_came_for_waiters_who_have_all_gone_is_queued() {
        let (queues, topic) = (queues(), Topic::default());
        let (one, two) = (
            turn(queues.take(&topic, &Access::EVERYTHING).await),
            turn(queues.take(&topic, &Access::EVERYTHING).await),
        );
        publish(&queues, "m").await;
        let newcomer = queues.take(&topic, &Access::EVERYTHING);
        tokio::pin!(newcomer);
        assert!(newcomer.as_mut().now_or_never().is_none(), "it is for those who wait");
        drop(one);
        assert!(newcomer.as_mut().now_or_never().is_none());
        drop(two);
        let Ok(Taken::Message(message)) = newcomer.await else { panic!("it is queued again") };
        assert_eq!(text(message), "m");
    }

    #[tokio::test]
    async fn a_message_that_came_for_waiters_is_not_queued_once_one_has_it() {
        let (queues, topic) = (queues(), Topic::default());
        let mut one = turn(queues.take(&topic, &Access::EVERYTHING).await);
        let two = turn(queues.take(&topic, &Access::EVERYTHING).await);
        publish(&queues, "m").await;
        let newcomer = queues.take(&topic, &Access::EVERYTHING);
        tokio::pin!(newcomer);
        assert!(newcomer.as_mut().now_or_never().is_none());
        assert_eq!(text(poll_fn(|cx| one.poll_message(cx)).await), "m");
        drop(one);
        let mut newcomer = turn(newcomer.await);
        publish(&queues, "n").await;
        assert_eq!(text(two.give_up().unwrap()), "m", "who waited then gets it too");
        assert_eq!(text(poll_fn(|cx| newcomer.poll_message(cx)).await), "n");
    }
}
