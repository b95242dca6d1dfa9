//! The one way into a hub's history.

use std::sync::Arc;
use std::{fmt, ptr};

use tokio::time::Instant;

use super::entry::Entry;
use super::history::History;
use super::loss::Loss;
use super::publisher_shares::PublisherShares;
use super::topic_history::TopicHistory;
use super::wake::Wake;
use crate::cursor::Epoch;
use crate::message::Message;
use crate::moment::Moment;
use crate::publisher::PublisherId;
use crate::topic::{Topic, TopicFilter};

/// The bytes that a topic with messages costs besides the messages: its share of the maps, lists and locks.
const TOPIC_COST: usize = 512;

/// A topic or publisher whose messages take more than this part of the limit of bytes loses messages before others do.
const SHARES: usize = 16;

/// The number of messages that are evicted by age at once.
const AGED_AT_ONCE: usize = 1000;

/// Appends to the history of a hub and evicts from it.
///
/// A history has one appender, which cannot be cloned: its owner decides the order.
pub struct Appender {
    history: Arc<History>,
    /// The topics whose messages take more than their share of the memory. They are fewer than [`SHARES`].
    over_share: Vec<Arc<TopicHistory>>,
    publishers: PublisherShares,
}

impl Appender {
    pub(crate) fn new(history: Arc<History>) -> Self {
        Self { history, over_share: Vec::new(), publishers: PublisherShares::default() }
    }

    /// The appender of an empty history of another epoch, which nobody can follow until [`super::Hub::replace`] puts it in the
    /// place of the present one.
    pub fn renew(&self, epoch: Epoch) -> Self {
        Self::new(Arc::new(self.history.renewed(epoch)))
    }

    pub(crate) fn history(&self) -> Arc<History> {
        Arc::clone(&self.history)
    }

    /// The epoch of the hub.
    pub fn epoch(&self) -> Epoch {
        self.history.epoch
    }

    /// The offset of the last message appended, 0 before the first.
    pub fn last_offset(&self) -> u64 {
        self.history.head()
    }

    /// The memory that is used, in bytes.
    pub fn bytes(&self) -> usize {
        self.history.usage.bytes()
    }

    /// This moment by the monotonic clock of the history.
    pub fn now(&self) -> Moment {
        Moment::from_millis(i64::try_from(self.history.began.elapsed().as_millis()).unwrap_or(i64::MAX))
    }

    /// As [`Appender::append_held`], with messages that the history holds from now on.
    pub fn append(&mut self, messages: impl IntoIterator<Item = Message>) -> Wake {
        self.append_by(None, messages)
    }

    /// As [`Appender::append`], with messages of one publisher: where memory is short, it loses its own messages before it makes others
    /// lose theirs.
    pub fn append_by(&mut self, publisher: Option<PublisherId>, messages: impl IntoIterator<Item = Message>) -> Wake {
        let now = self.now();
        self.append_all(publisher, messages.into_iter().map(|message| (message, now)))
    }

    /// Appends messages, each with the moment since which it counts as held. Their offsets ascend and are greater than the last one, all visible at once, and evicts what the limits no
    /// longer allow.
    ///
    /// The caller wakes the subscribers by the returned [`Wake`], after it has given up its own locks.
    pub fn append_held(&mut self, messages: impl IntoIterator<Item = (Message, Moment)>) -> Wake {
        self.append_all(None, messages)
    }

    fn append_all(
        &mut self,
        publisher: Option<PublisherId>,
        messages: impl IntoIterator<Item = (Message, Moment)>,
    ) -> Wake {
        let mut topics: Vec<Arc<TopicHistory>> = Vec::new();
        let appended = Instant::now();
        let mut last = self.history.head();
        for (message, since) in messages {
            debug_assert!(message.id.epoch == self.history.epoch && message.id.offset > last);
            last = message.id.offset;
            let topic = self.push(Entry::held(message, since, appended, publisher, &self.history.usage), publisher);
            if !topics.last().is_some_and(|last| Arc::ptr_eq(last, &topic)) {
                topics.push(topic);
            }
        }
        self.history.advance_head(last);
        // After the messages are visible, so that all that subscribed before are woken.
        let wake = Wake::of(&self.history.registry.read(), &topics);
        // After the messages are visible: a loss can only be reported to subscribers that could have read the message.
        for topic in &topics {
            while topic.len() > self.history.limits.messages {
                self.evict_from(topic);
            }
        }
        self.evict_over_bytes();
        wake
    }

    /// Evicts messages that have been held for longer than the limit, up to a thousand of them. Returns whether there may
    /// be more. After the last one, evicts what exceeds the limit of bytes, since readers add encodings.
    pub fn evict_aged(&mut self, now: Moment) -> bool {
        let limit = now.earlier_by(self.history.limits.age);
        for _ in 0..AGED_AT_ONCE {
            if self.history.ring.read().oldest().is_none_or(|oldest| !oldest.is_held_since_before(limit)) {
                self.evict_over_bytes();
                return false;
            }
            self.evict_oldest();
        }
        true
    }

    /// Moves the end of the history to an offset; no message lies between. Never goes back.
    pub fn skip_to(&mut self, offset: u64) {
        self.history.advance_head(offset);
    }

    /// Notes that everything up to an offset may be gone, of every topic there is or will be. The history continues there.
    pub fn lost_through(&mut self, offset: u64) -> Wake {
        let wake = self.lost_in_all(offset);
        // The loss is noted before the head passes it: a reader takes nothing after the head that it has loaded.
        self.history.advance_head(offset);
        wake
    }

    /// As [`Appender::lost_through`], but the history continues where it is: messages of some topics up to the offset are there, or
    /// are to come.
    pub fn lost_in_all(&mut self, offset: u64) -> Wake {
        let eviction = self.history.evictions() + 1;
        // The lock keeps topics from being opened without the loss.
        let mut registry = self.history.registry.write();
        let mut ring = self.history.ring.write();
        registry.lose(Loss { through: offset, eviction });
        ring.lose(Loss { through: offset, eviction });
        drop(ring);
        self.history.set_evictions(eviction);
        Wake::all(&registry)
    }

    /// Notes that everything of one topic up to an offset may be gone. The history need not have come so far.
    pub fn lost_in(&mut self, topic: &Topic, offset: u64) -> Wake {
        self.lost_in_each([(topic, offset)])
    }

    /// As [`Appender::lost_in`], of several topics.
    pub fn lost_in_each<'a>(&mut self, losses: impl IntoIterator<Item = (&'a Topic, u64)>) -> Wake {
        let eviction = self.history.evictions() + 1;
        let mut registry = self.history.registry.write();
        let mut ring = self.history.ring.write();
        for (topic, through) in losses {
            registry.lose_in(topic, Loss { through, eviction });
            ring.lose(Loss { through, eviction });
        }
        drop(ring);
        self.history.set_evictions(eviction);
        Wake::all(&registry)
    }

    fn push(&mut self, entry: Entry, publisher: Option<PublisherId>) -> Arc<TopicHistory> {
        let name = entry.message.topic.clone();
        let entry = Arc::new(entry);
        let (offset, bytes) = (entry.offset(), entry.bytes());

        // While the guard is held, the topic stays in the registry, and no pattern can be opened that would miss the
        // message.
        let registry = self.history.registry_with(&[TopicFilter::Exact(name.clone())]);
        let topic = Arc::clone(registry.topic(&name).expect("the guard keeps the topic"));
        topic.push(Arc::clone(&entry));
        registry.for_each_group(&name, |group| group.push(&entry));
        self.history.ring.write().push(entry);
        drop(registry);

        let share = self.share();
        if (share + 1..=share + bytes).contains(&topic.bytes()) {
            self.over_share.push(Arc::clone(&topic));
        }
        let topic_cost = if topic.len() == 1 { TOPIC_COST } else { 0 };
        self.history.usage.add(topic_cost);
        if let Some(publisher) = publisher {
            self.publishers.add(publisher, offset, bytes + topic_cost, &topic, share);
        }
        topic
    }

    /// Makes room: evicts the oldest messages, of topics that take more than their share as long as there are any, and then of
    /// publishers that do.
    fn evict_over_bytes(&mut self) {
        while self.history.usage.exceeds_limit() && self.history.ring.read().len() > 1 {
            match self.topic_over_share().or_else(|| self.publishers.topic_over_share()) {
                Some(topic) => self.evict_from(&topic),
                None => self.evict_oldest(),
            }
        }
    }

    /// The topic with the oldest message of those that take more than their share. The only message of a topic is no more than that.
    fn topic_over_share(&self) -> Option<Arc<TopicHistory>> {
        let topics = self.over_share.iter().filter(|topic| topic.len() > 1);
        topics.min_by_key(|topic| topic.oldest_after(0)).cloned()
    }

    /// The memory that the messages of a topic, or of a publisher, may take before they go first, in bytes without encodings.
    fn share(&self) -> usize {
        self.history.limits.bytes / SHARES
    }

    /// Evicts the oldest message of all, which is the oldest of its topic.
    fn evict_oldest(&mut self) {
        let name = self.history.ring.read().oldest().map(|entry| entry.message.topic.clone());
        let topic = name.and_then(|name| self.history.registry.read().topic(&name).cloned());
        if let Some(topic) = topic {
            self.evict_from(&topic);
        }
    }

    /// Evicts the oldest message of a topic.
    fn evict_from(&mut self, topic: &TopicHistory) {
        let eviction = self.history.evictions() + 1;
        let registry = self.history.registry.read();
        // The loss of the topic, that of the patterns, and the hole in the ring are one step for the readers of the ring.
        let mut ring = self.history.ring.write();
        let Some(entry) = topic.evict_oldest(eviction) else { return };
        let loss = Loss { through: entry.offset(), eviction };
        registry.for_each_group(&topic.topic, |group| group.evict(loss));
        ring.evict(loss);
        drop(ring);
        drop(registry);
        self.history.set_evictions(eviction);
        entry.release();
        if let Some(publisher) = entry.publisher() {
            self.publishers.remove(publisher, entry.offset(), self.share());
        }
        if topic.bytes() <= self.share() {
            self.over_share.retain(|other| !ptr::eq(Arc::as_ptr(other), topic));
        }
        if topic.len() == 0 {
            self.history.usage.subtract(TOPIC_COST);
            if topic.is_unused() {
                self.history.registry.write().close_topic_if_unused(&topic.topic);
            }
        }
    }
}

impl fmt::Debug for Appender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Appender")
            .field("limits", &self.history.limits)
            .field("messages", &self.history.ring.read().len())
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}
