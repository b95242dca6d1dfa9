//! The stream's confirmation of a message.

use async_nats::RequestError;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::response::Response;

use crate::link::NotConnected;
use crate::stream::StreamError;

/// The reason why it is not known that the stream has stored a message.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unconfirmed {
    /// The stream takes no message that is so large.
    #[error("the message is too large")]
    TooLarge,
    /// Another publication under the same id is being stored at this moment, and may still fail.
    #[error("the same message is under way already")]
    UnderWay,
    #[error("{0}")]
    Rejected(async_nats::jetstream::Error),
    #[error("what NATS answered is not understood: {0}")]
    Malformed(serde_json::Error),
    #[error("NATS did not answer in time")]
    TimedOut,
    /// The stream has no leader at the moment, or is missing.
    #[error("the stream {stream} does not answer")]
    NoResponders { stream: String },
    #[error("{0}")]
    Request(RequestError),
    #[error(transparent)]
    NotConnected(#[from] NotConnected),
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The stream has given the message a sequence that it had given before.
    #[error("the stream has gone back, and which history it holds is not known")]
    UnknownHistory,
}

/// The stream's confirmation of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Confirmation {
    pub(crate) sequence: u64,
    /// The stream had stored the message already.
    pub(crate) duplicate: bool,
}

impl Confirmation {
    pub(crate) fn from_answer(payload: &[u8]) -> Result<Self, Unconfirmed> {
        match serde_json::from_slice(payload).map_err(Unconfirmed::Malformed)? {
            Response::Ok(PublishAck { sequence: 0, .. }) => Err(Unconfirmed::UnderWay),
            Response::Ok(PublishAck { sequence, duplicate, .. }) => Ok(Self { sequence, duplicate }),
            Response::Err { error } if error.error_code() == ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM => {
                Err(Unconfirmed::TooLarge)
            }
            Response::Err { error } => Err(Unconfirmed::Rejected(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_under_way_is_not_confirmed() {
        let confirmation = Confirmation::from_answer(br#"{"stream":"PUSH","seq":7,"duplicate":true}"#);
        assert_eq!(confirmation.unwrap(), Confirmation { sequence: 7, duplicate: true });
        let under_way = Confirmation::from_answer(br#"{"stream":"PUSH","seq":0,"duplicate":true}"#);
        assert!(matches!(under_way, Err(Unconfirmed::UnderWay)), "{under_way:?}");
        for malformed in ["{}", ""] {
            let answer = Confirmation::from_answer(malformed.as_bytes());
            assert!(matches!(answer, Err(Unconfirmed::Malformed(_))), "{malformed}");
        }
    }
}
