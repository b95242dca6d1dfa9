//! The one way into a hub's histories.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::sleep;

use super::history::{Loss, TopicHistory};
use super::registry::Registry;
use super::slots::Slots;
use super::{Entry, Inner};
use crate::cursor::Epoch;
use crate::message::Message;
use crate::timestamp::Timestamp;
use crate::topic::{Topic, TopicFilter};

/// What a topic that holds messages costs beside them, in bytes: its part of the maps, lists and locks.
const TOPIC_COST: usize = 512;

/// How many messages are evicted by age at once.
pub const SLICE: usize = 1000;

/// So many subscribers are woken by whoever has news for them; more, by a task of their own.
const FEW: usize = 16;

/// How much history is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryLimits {
    /// Messages in each topic, at least 1.
    pub messages: usize,
    /// How long a message is held.
    pub age: Duration,
    /// Bytes of memory in all topics together. The newest message is always held.
    pub bytes: usize,
}

/// Appends to the histories of a hub and evicts from them.
///
/// There is one appender a hub and it cannot be cloned: whoever owns it decides the order.
pub struct Appender {
    hub: Arc<Inner>,
    limits: HistoryLimits,
    /// The topics that hold messages, by the offset of their oldest one.
    by_oldest: BTreeMap<u64, Arc<TopicHistory>>,
    messages: usize,
}

impl Appender {
    pub(super) fn new(hub: Arc<Inner>, limits: HistoryLimits) -> Self {
        Self { hub, limits, by_oldest: BTreeMap::new(), messages: 0 }
    }

    /// The appender of an empty history of another epoch, which nobody can follow until [`super::Hub::replace`] puts it in the
    /// place of the present one.
    pub fn renew(&self, epoch: Epoch) -> Self {
        Self::new(Arc::new(Inner::new(epoch, self.limits, self.hub.archive.clone())), self.limits)
    }

    pub(super) fn inner(&self) -> Arc<Inner> {
        Arc::clone(&self.hub)
    }

    /// The epoch of the hub.
    pub fn epoch(&self) -> Epoch {
        self.hub.epoch
    }

    /// The offset of the last message appended, 0 before the first.
    pub fn last_offset(&self) -> u64 {
        self.hub.head()
    }

    /// What is held, in bytes.
    pub fn bytes(&self) -> usize {
        self.hub.usage.bytes()
    }

    /// Appends messages whose offsets ascend from beyond the last one, all visible at once, and evicts what the limits
    /// no longer allow.
    ///
    /// The caller wakes the subscribers by the returned [`Wake`], after it has given up its own locks.
    pub fn append(&mut self, messages: impl IntoIterator<Item = Message>) -> Wake {
        let mut topics: Vec<Arc<TopicHistory>> = Vec::new();
        let mut last = self.hub.head();
        for message in messages {
            debug_assert!(message.id.epoch == self.hub.epoch && message.id.offset > last);
            last = message.id.offset;
            let topic = self.push(message);
            if !topics.last().is_some_and(|last| Arc::ptr_eq(last, &topic)) {
                topics.push(topic);
            }
        }
        self.hub.usage.advance(last);
        self.hub.head.store(last, Ordering::Release);
        // Before anything is evicted: a topic that is dropped no longer knows who follows it.
        let wake = Wake::of(&topics);
        // After the messages are visible: a reader can only be told of the loss of what it could have seen.
        for topic in &topics {
            while topic.len() > self.limits.messages {
                self.evict_from(topic);
            }
        }
        self.evict_beyond_bytes();
        wake
    }

    /// Evicts messages that are older than the limit, up to [`SLICE`] of them, then what is held beyond the bytes. Returns whether there may be more.
    pub fn evict_aged(&mut self, now: Timestamp) -> bool {
        let limit = now.as_millis().saturating_sub(self.limits.age.as_millis() as u64);
        for _ in 0..SLICE {
            match self.by_oldest.first_key_value().and_then(|(_, topic)| topic.oldest()) {
                Some((_, at)) if at.as_millis() < limit => self.evict_oldest(),
                _ => {
                    // Readers may have added encodings.
                    self.evict_beyond_bytes();
                    return false;
                }
            }
        }
        true
    }

    /// Has the history go on to an offset without a message: what lies between is of no topic. Never goes back.
    pub fn skip_to(&mut self, offset: u64) {
        self.hub.head.fetch_max(offset, Ordering::Release);
    }

    /// Everything up to an offset may be gone, of every topic there is or will be. The history goes on from there.
    pub fn lost_through(&mut self, offset: u64) -> Wake {
        let eviction = self.hub.evictions() + 1;
        // The lock keeps topics from being opened without the loss.
        let mut registry = self.hub.registry.write();
        registry.lose(Loss { through: offset, at: eviction });
        self.hub.evictions.store(eviction, Ordering::Release);
        // Known as lost before it is passed: a reader takes nothing beyond the head that it knows.
        self.hub.head.fetch_max(offset, Ordering::Release);
        Wake::all(&registry)
    }

    /// Everything of one topic up to an offset may be gone.
    pub fn lost_in(&mut self, topic: &Topic, offset: u64) {
        let eviction = self.hub.evictions() + 1;
        self.hub.registry.write().lose_in(topic, Loss { through: offset, at: eviction });
        self.hub.evictions.store(eviction, Ordering::Release);
    }

    fn push(&mut self, message: Message) -> Arc<TopicHistory> {
        let name = message.topic.clone();
        let entry = Arc::new(Entry::counted(message, &self.hub.usage));
        let offset = entry.offset();
        self.messages += 1;

        // The guard keeps the topic in the registry until it holds the message.
        let registry = self.hub.registry_with(&[TopicFilter::Exact(name.clone())]);
        let topic = Arc::clone(registry.topic(&name).expect("the guard holds the topic"));
        topic.push(entry);
        drop(registry);

        if topic.len() == 1 {
            self.hub.usage.add(TOPIC_COST);
            self.by_oldest.insert(offset, Arc::clone(&topic));
        }
        topic
    }

    fn evict_beyond_bytes(&mut self) {
        while self.hub.usage.exceeds_limit() && self.messages > 1 {
            self.evict_oldest();
        }
    }

    fn evict_oldest(&mut self) {
        if let Some((_, topic)) = self.by_oldest.first_key_value() {
            let topic = Arc::clone(topic);
            self.evict_from(&topic);
        }
    }

    fn evict_from(&mut self, topic: &Arc<TopicHistory>) {
        let eviction = self.hub.evictions() + 1;
        let Some(entry) = topic.evict_oldest(eviction) else { return };
        self.hub.evictions.store(eviction, Ordering::Release);
        self.messages -= 1;
        entry.release();
        self.by_oldest.remove(&entry.offset());
        if let Some((offset, _)) = topic.oldest() {
            self.by_oldest.insert(offset, Arc::clone(topic));
            return;
        }
        self.hub.usage.subtract(TOPIC_COST);
        if topic.is_unused() {
            self.hub.registry.write().close_topic_if_unused(&topic.topic);
        }
    }
}

impl fmt::Debug for Appender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limits, messages, .. } = self;
        f.debug_struct("Appender")
            .field("limits", limits)
            .field("messages", messages)
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}

/// Subscribers that have something to read and do not know it yet.
#[must_use = "subscribers wait until they are woken"]
pub struct Wake {
    waiting: Vec<Arc<Slots>>,
}

impl Wake {
    fn of(topics: &[Arc<TopicHistory>]) -> Self {
        let mut waiting = Vec::new();
        for topic in topics {
            waiting.push(Arc::clone(&topic.slots));
            waiting.extend(topic.patterns.read().iter().map(|pattern| Arc::clone(&pattern.slots)));
        }
        Self { waiting }
    }

    /// Everyone, whatever they follow.
    pub(super) fn all(registry: &Registry) -> Self {
        Self { waiting: registry.slots() }
    }

    /// Wakes them, without keeping the caller where they are many.
    pub fn wake(self) {
        self.wake_after(Duration::ZERO);
    }

    /// Wakes them once more news had `gather` to come, all for one waking.
    pub fn wake_after(mut self, gather: Duration) {
        // Who joins from now on sees what is visible already.
        self.waiting.retain(|slots| !slots.is_empty() && slots.claim());
        let few = || self.waiting.iter().map(|slots| slots.len()).sum::<usize>() <= FEW;
        match Handle::try_current() {
            Ok(runtime) if !self.waiting.is_empty() && (!gather.is_zero() || !few()) => {
                let claimed = Claimed(self.waiting);
                runtime.spawn(async move {
                    let _claimed = claimed;
                    if gather.is_zero() {
                        // Publications that are there already come first, and are delivered by the same waking.
                        yield_now().await;
                    } else {
                        sleep(gather).await;
                    }
                });
            }
            _ => drop(Claimed(self.waiting)),
        }
    }
}

/// Slots that somebody has promised to wake. Kept even if the task that is to do it never runs.
struct Claimed(Vec<Arc<Slots>>);

impl Drop for Claimed {
    fn drop(&mut self) {
        self.0.iter().for_each(|slots| slots.wake_all());
    }
}

impl fmt::Debug for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wake").field("waiting", &self.waiting.len()).finish()
    }
}
