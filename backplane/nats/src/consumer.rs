//! The ordered consumer with which the stream is followed.
//!
//! The client library creates the consumer again whenever it has to, even on another stream of the same name, and from the
//! very first message if it has delivered none. So messages are trusted only as long as they come from the consumer that was
//! created here and checked afterwards.

use async_nats::jetstream;
use async_nats::jetstream::consumer::push::{Ordered, OrderedConfig, OrderedError, OrderedErrorKind};
use async_nats::jetstream::consumer::{DeliverPolicy, ReplayPolicy};
use futures_util::StreamExt;

use crate::interruption::Interruption;
use crate::replica::Replica;
use crate::stream::{StreamError, StreamSnapshot};

/// An item of a consumer's message stream.
pub(crate) type Delivery = Option<Result<jetstream::Message, OrderedError>>;

/// The messages of a consumer.
pub(crate) struct Consumer {
    messages: Ordered,
    name: String,
}

impl Consumer {
    /// Creates a consumer of what comes after an offset, and checks that it is one of the stream of the snapshot `before`.
    /// Returns the snapshot of that check too.
    pub(crate) async fn create(
        replica: &Replica,
        after: u64,
        before: &StreamSnapshot,
    ) -> Result<(Self, StreamSnapshot), Interruption> {
        let jetstream = replica.link.jetstream().map_err(StreamError::from)?;
        let config = OrderedConfig {
            deliver_subject: jetstream.client().new_inbox(),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: after + 1 },
            replay_policy: ReplayPolicy::Instant,
            ..OrderedConfig::default()
        };
        let created = jetstream.create_consumer_on_stream(config, replica.stream.name()).await;
        let created = created.map_err(Interruption::Create)?;
        let name = created.cached_info().name.clone();
        let messages = created.messages().await.map_err(Interruption::Subscribe)?;
        // A deleted stream does not come back. So if the stream is there after the consumer was created, and was there
        // before, the consumer is one of it.
        let snapshot = replica.stream.inspect_or_create().await?;
        if snapshot.epoch() != before.epoch() {
            return Err(Interruption::Restart);
        }
        Ok((Self { messages, name }, snapshot))
    }

    pub(crate) fn next(&mut self) -> impl Future<Output = Delivery> + '_ {
        self.messages.next()
    }

    /// The delivered message, if it is from the consumer that was created here.
    pub(crate) fn trusted(&self, delivery: Delivery) -> Result<jetstream::Message, Interruption> {
        match delivery {
            Some(Ok(message)) => {
                let ours = message.info().is_ok_and(|info| info.consumer == self.name);
                if ours { Ok(message) } else { Err(Interruption::Restart) }
            }
            // The library creates another consumer, and so does the follower.
            Some(Err(error)) if error.kind() == OrderedErrorKind::MissingHeartbeat => Err(Interruption::Restart),
            Some(Err(error)) => Err(Interruption::Deliver(error)),
            None => Err(Interruption::Ended),
        }
    }
}
