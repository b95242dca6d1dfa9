//! Messages that are published in one step, and the answer to it.

use super::idempotency_key::IdempotencyKey;
use super::placement::{Placed, Placement};
use crate::message::Draft;
use crate::publisher::PublisherId;
use crate::topic::Topic;
use crate::traceparent::Traceparent;

/// Messages that are published in one step: they are appended together, in order.
#[derive(Debug, Clone)]
pub struct Publication {
    /// The topic.
    pub topic: Topic,
    /// The messages.
    pub drafts: Vec<Draft>,
    /// A repeat under a key of the last [`super::IDEMPOTENCY_WINDOW`] appends nothing. Another publication under it is refused.
    pub key: Option<IdempotencyKey>,
    /// The operation that publishes them, if it is part of a trace. It does not count for a repeat.
    pub traceparent: Option<Traceparent>,
    /// The publisher, whose messages are counted in memory; `None` if they are not.
    pub publisher: Option<PublisherId>,
    /// The publisher has not used up its share of the keys that are remembered. Else a repeat is answered, and a key that is not remembered
    /// is refused, where there is a limit of keys.
    pub may_use_new_key: bool,
}

impl Publication {
    /// A publication of nobody in particular, who may use a new key.
    pub fn new(topic: Topic, drafts: Vec<Draft>, key: Option<IdempotencyKey>) -> Self {
        Self { topic, drafts, key, traceparent: None, publisher: None, may_use_new_key: true }
    }
}

/// The answer of a backplane, given once it has the messages for good.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// The place of the messages.
    pub placement: Placement,
    /// True when the messages were there already: this is the answer to the first publication under the same key.
    pub repeated: bool,
}

impl Receipt {
    /// The place of each message, in the order of the drafts.
    pub fn each(&self) -> impl Iterator<Item = Placed<'_>> {
        self.placement.each(self.repeated)
    }
}
