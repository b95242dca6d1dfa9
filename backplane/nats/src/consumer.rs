//! The ordered consumer by which a stream is followed.
//!
//! The library makes it again whenever it has to be, even on another stream of the same name, and from the very first
//! message if it has delivered none. So messages are trusted only as long as they come from the consumer that was made
//! here, and by whoever has looked at the stream since.

use async_nats::jetstream::consumer::push::{Ordered, OrderedConfig, OrderedError, OrderedErrorKind};
use async_nats::jetstream::consumer::{DeliverPolicy, ReplayPolicy};
use async_nats::jetstream::{self, Context};
use futures_util::StreamExt;

use super::follow::Interrupted;

/// What a consumer hands out.
pub(super) type Next = Option<Result<jetstream::Message, OrderedError>>;

/// The messages of a consumer.
pub(super) struct Consumer {
    messages: Ordered,
    name: String,
}

impl Consumer {
    /// Of what comes after an offset.
    pub(super) async fn make(jetstream: &Context, stream: &str, after: u64) -> Result<Self, Interrupted> {
        let failed = |error: String| Interrupted::Consumer(format!("the stream cannot be followed: {error}"));
        let config = OrderedConfig {
            deliver_subject: jetstream.client().new_inbox(),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: after + 1 },
            replay_policy: ReplayPolicy::Instant,
            ..OrderedConfig::default()
        };
        let made = jetstream.create_consumer_on_stream(config, stream).await;
        let made = made.map_err(|error| failed(error.to_string()))?;
        let name = made.cached_info().name.clone();
        let messages = made.messages().await.map_err(|error| failed(error.to_string()))?;
        Ok(Self { messages, name })
    }

    pub(super) fn next(&mut self) -> impl Future<Output = Next> + '_ {
        self.messages.next()
    }

    /// The message, if it is of the consumer that was made here.
    pub(super) fn trusted(&self, next: Next) -> Result<Option<jetstream::Message>, Interrupted> {
        match next {
            Some(Ok(message)) => {
                let ours = message.info().is_ok_and(|info| info.consumer == self.name);
                if ours { Ok(Some(message)) } else { Err(Interrupted::Again) }
            }
            // The library makes another consumer; so does this.
            Some(Err(error)) if error.kind() == OrderedErrorKind::MissingHeartbeat => Err(Interrupted::Again),
            Some(Err(error)) => Err(Interrupted::Consumer(format!("the stream cannot be followed: {error}"))),
            None => Err(Interrupted::Consumer("the stream can no longer be followed".to_owned())),
        }
    }
}
