//! Subscribers that are to be woken.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::sleep;

use super::registry::Registry;
use super::slots::Slots;
use super::topic_history::TopicHistory;

/// Without `gather`, the caller wakes up to this many subscribers itself; a spawned task wakes more.
const FEW: usize = 16;

/// Subscribers that have something to read and have not been woken for it yet.
#[must_use = "subscribers wait until they are woken"]
pub struct Wake {
    waiting: Vec<Arc<Slots>>,
}

impl Wake {
    /// The subscribers of some topics, by name or by pattern. Called once the news is visible.
    pub(crate) fn of(registry: &Registry, topics: &[Arc<TopicHistory>]) -> Self {
        let mut waiting = Vec::new();
        for topic in topics {
            waiting.push(Arc::clone(&topic.slots));
            registry.for_each_group(&topic.topic, |group| waiting.push(Arc::clone(&group.slots)));
        }
        Self { waiting }
    }

    /// All subscribers.
    pub(crate) fn all(registry: &Registry) -> Self {
        Self { waiting: registry.slots() }
    }

    /// Wakes them. Where they are many, the caller does not wait for it.
    pub fn wake(self) {
        self.wake_after(Duration::ZERO);
    }

    /// Wakes them after a delay, so that one wake-up serves the news that comes meanwhile too.
    pub fn wake_after(mut self, gather: Duration) {
        // Subscribers that join from now on find what is visible already.
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

/// Slots that were claimed. Dropping it wakes them, even if the task never runs.
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
