//! The reasons why following the stream is interrupted.

use async_nats::jetstream::consumer::StreamError as SubscribeError;
use async_nats::jetstream::consumer::push::OrderedError;
use async_nats::jetstream::stream::ConsumerError;

use crate::stream::StreamError;

/// The reason why following the stream is interrupted. It begins again from the position of the history.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Interruption {
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error("the stream cannot be followed: {0}")]
    Create(ConsumerError),
    #[error("the stream cannot be followed: {0}")]
    Subscribe(SubscribeError),
    #[error("the stream cannot be followed: {0}")]
    Deliver(OrderedError),
    #[error("the stream can no longer be followed")]
    Ended,
    /// The messages of the consumer can no longer be trusted, which is no failure of the stream.
    #[error("following begins again")]
    Restart,
}
