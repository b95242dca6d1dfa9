//! The reasons why a request about the stream failed, or why the stream cannot be used.

use super::fit::Unfit;
use crate::link::NotConnected;

/// The reason why a request about the stream failed, or why the stream cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum StreamError {
    #[error(transparent)]
    Unfit(#[from] Unfit),
    #[error("NATS is of version {version}, and 2.10 or newer is needed: a stream has to keep metadata")]
    TooOld { version: String },
    #[error("the stream {stream} is missing")]
    Missing { stream: String },
    #[error("the stream {stream} cannot be reached: {reason}")]
    Unreachable { stream: String, reason: String },
    #[error("the stream {stream} cannot be created: {reason}")]
    NotCreated { stream: String, reason: String },
    #[error(transparent)]
    NotConnected(#[from] NotConnected),
}
