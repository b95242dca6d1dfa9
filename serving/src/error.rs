//! The errors that clients are answered with.

use std::time::Duration;

use http::header::{ALLOW, CONNECTION, RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::json;

use crate::access::Denied;
use crate::body_budget::BudgetSpent;
use crate::refusal::Refusal;
use crate::reply::{Body, ErrorCode, Reply};
use shared::backplane::{BadIdempotencyKey, NotReady, PublishError};
use shared::cursor::BadCursor;
use shared::topic::BadTopic;

/// Seconds after which a client that was turned away may try again, as a header has them, where nobody can know when it will be taken.
const RETRY_AFTER_SECONDS: &str = "2";

/// An answer other than what was asked for: a status, and `{"error":"<code>","message":"<what and what to do>"}`.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No such path.
    #[error("no route has this path; the page at / shows how to use the service")]
    NotFound,
    /// The path exists, the method does not apply to it.
    #[error("this path takes {allow} only")]
    MethodNotAllowed {
        /// The methods that apply.
        allow: &'static str,
    },
    /// The head of the request is not HTTP/1.1. The text ends with what to do about it.
    #[error("the request is not valid HTTP/1.1: {0}")]
    BadRequest(String),
    /// The body is sent in a transfer coding other than chunked.
    #[error(
        "the transfer coding is not known; send the body with a Content-Length, or with `Transfer-Encoding: chunked` alone"
    )]
    UnknownTransferCoding,
    /// The head of the request is larger than `--max-head-bytes`.
    #[error("the request line and headers are larger than {limit} bytes; send less or raise --max-head-bytes")]
    HeadTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The head or body took longer than `--read-timeout`.
    #[error("the {part} of the request took too long to arrive; send it faster or raise --read-timeout")]
    TooSlow {
        /// Head or body.
        part: &'static str,
    },
    /// The port speaks TLS, and the request came in the clear.
    #[error("this port speaks TLS; use https:// or wss://")]
    TlsRequired,
    /// A query parameter is wrong.
    #[error("{parameter}: {reason}")]
    BadParameter {
        /// Its name.
        parameter: &'static str,
        /// The values that it takes.
        reason: String,
    },
    /// A query parameter that the route does not know.
    #[error("the parameter {name:?} is not known; this route takes {}", known.join(", "))]
    UnknownParameter {
        /// Its name, or the beginning of a long one.
        name: String,
        /// The parameters that the route knows.
        known: Vec<&'static str>,
    },
    /// See [`BadTopic`].
    #[error("topic: {0}")]
    BadTopic(#[from] BadTopic),
    /// See [`BadCursor`].
    #[error("{0}")]
    BadCursor(#[from] BadCursor),
    /// See [`BadIdempotencyKey`].
    #[error("{0}")]
    BadKey(#[from] BadIdempotencyKey),
    /// The body is not the JSON that is asked for.
    #[error("{0}; send {{\"text\":\"…\"}} with an optional \"event\", or an array of those")]
    BadJson(String),
    /// A client's WebSocket frame is not one that the feed takes.
    #[error(
        "{0}; send a text frame of {{\"type\":\"publish\",\"text\":\"…\"}} with optional \"topic\", \"event\" and \"key\""
    )]
    BadFrame(String),
    /// There is nothing to publish.
    #[error("there is no text to publish; send {{\"text\":\"…\"}}, or the text itself with Content-Type: text/plain")]
    NoText,
    /// The body is not UTF-8.
    #[error("the text is not valid UTF-8; send it encoded as UTF-8")]
    InvalidUtf8,
    /// A message is larger than `--max-message-bytes`, or a body larger than `--max-body-bytes`.
    #[error("the {what} is larger than {limit} bytes; send less or raise {flag}")]
    TooLarge {
        /// Message or body.
        what: &'static str,
        /// The limit, in bytes.
        limit: usize,
        /// The flag that sets it.
        flag: &'static str,
    },
    /// An array holds more messages than `--max-array`.
    #[error("the array holds more than {limit} messages; publish several arrays or raise --max-array")]
    TooManyMessages {
        /// The limit.
        limit: usize,
    },
    /// The body is encoded in a way that is not understood.
    #[error("{0}; send UTF-8, without a Content-Encoding")]
    UnsupportedMediaType(String),
    /// A body was sent to a method's route, which takes none.
    #[error("this route takes no body; send the request without one")]
    UnexpectedBody,
    /// A WebSocket route was asked for without an upgrade.
    #[error("this route speaks WebSocket; open it with a WebSocket client, version 13")]
    UpgradeRequired,
    /// The upgrade to a WebSocket is malformed.
    #[error("not a valid WebSocket handshake: {0}; use a WebSocket client, version 13")]
    BadHandshake(String),
    /// A route that does not speak WebSocket was asked for an upgrade.
    #[error("this route does not speak WebSocket; send the request without an Upgrade header")]
    UnexpectedUpgrade,
    /// The page that asks is of an origin that is not allowed.
    #[error("pages of this origin may not use the service; name the origin with --allow-origin")]
    OriginNotAllowed,
    /// There is no good token. The reason is in the log alone.
    #[error("a good token is needed; send one as `Authorization: Bearer`")]
    Unauthorized,
    /// The token is good, but not for this.
    #[error("the token's claim `{claim}` does not cover {topic:?}; ask for less, or for a token that does")]
    Forbidden {
        /// `publish` or `subscribe`.
        claim: &'static str,
        /// The topic or pattern that was asked for.
        topic: String,
    },
    /// A token that was sent on a connection is of another subject than the one before.
    #[error("the token is of another subject (sub) than the one before; connect again with it")]
    OtherSubject,
    /// The service is open, so that no ticket is needed.
    #[error("this service is open to everybody; connect without a ticket")]
    NoTickets,
    /// `--max-connections` are open, or `--max-connections-per-address` from this address.
    #[error("all connections, or all that one address may have, are taken; try again later")]
    Full,
    /// As many distinct patterns are followed as `--max-patterns` allows.
    #[error(
        "{limit} distinct patterns with wildcards are followed, the most at a time; name topics or a pattern that others \
         follow too, try again later, or raise --max-patterns"
    )]
    TooManyPatterns {
        /// The limit.
        limit: usize,
    },
    /// As many topics have messages or are followed as `--max-topics` allows.
    #[error("{limit} topics are in use, the most at a time; use one of them, try again later, or raise --max-topics")]
    TooManyTopics {
        /// The limit.
        limit: usize,
    },
    /// The client publishes more than `--publish-rate` allows.
    #[error(
        "this client publishes more than {per_second} messages per second; try again in {} s, or raise --publish-rate",
        seconds(*wait)
    )]
    TooFast {
        /// The messages per second that it may publish.
        per_second: u32,
        /// The time after which it may publish again.
        wait: Duration,
    },
    /// The client has used up its share of `--idempotency-keys`.
    #[error(
        "this client has used {share} idempotency keys in the last 2 minutes, its share of those that are remembered; repeats \
         are answered; try again in {} s, or raise --idempotency-keys",
        seconds(*wait)
    )]
    ShareOfKeys {
        /// The keys that it may use in the time for which they are remembered.
        share: usize,
        /// The time after which it may use another one.
        wait: Duration,
    },
    /// `--body-budget` is spent.
    #[error("the memory for request bodies is in use; try again later")]
    TooManyBodies,
    /// The service is shutting down.
    #[error("the service is shutting down; try again, another one may take over")]
    Draining,
    /// The backplane did not take a publication.
    #[error("{0}")]
    Publish(PublishError),
    /// The backplane cannot be used.
    #[error("not ready: {0}")]
    NotReady(NotReady),
}

/// A time in whole seconds, as `Retry-After` has it: at least one, and not too few.
fn seconds(time: Duration) -> u64 {
    (time.as_secs_f64().ceil() as u64).max(1)
}

impl From<BudgetSpent> for ApiError {
    fn from(_: BudgetSpent) -> Self {
        Self::TooManyBodies
    }
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Unauthorized => Self::Unauthorized,
            Denied::Forbidden { claim, topic } => Self::Forbidden { claim, topic },
            Denied::OtherSubject => Self::OtherSubject,
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Denied(denied) => denied.into(),
            Refusal::Draining => Self::Draining,
            Refusal::MessageTooLarge { limit } => {
                Self::TooLarge { what: "message", limit, flag: "--max-message-bytes" }
            }
            Refusal::TooManyPatterns { limit } => Self::TooManyPatterns { limit },
            Refusal::TooManyTopics { limit } => Self::TooManyTopics { limit },
            Refusal::TooFast { per_second, wait } => Self::TooFast { per_second, wait },
            Refusal::ShareOfKeys { share, wait } => Self::ShareOfKeys { share, wait },
            Refusal::Backplane(error) => Self::Publish(error),
            Refusal::NotReady(reason) => Self::NotReady(reason),
        }
    }
}

impl ApiError {
    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_)
            | Self::TlsRequired
            | Self::BadParameter { .. }
            | Self::UnknownParameter { .. }
            | Self::BadTopic(_)
            | Self::BadCursor(_)
            | Self::BadKey(_)
            | Self::BadJson(_)
            | Self::BadFrame(_)
            | Self::NoText
            | Self::InvalidUtf8
            | Self::UnexpectedBody
            | Self::BadHandshake(_)
            | Self::UnexpectedUpgrade => StatusCode::BAD_REQUEST,
            Self::UnknownTransferCoding => StatusCode::NOT_IMPLEMENTED,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::OriginNotAllowed | Self::Forbidden { .. } | Self::OtherSubject => StatusCode::FORBIDDEN,
            Self::NotFound | Self::NoTickets => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge { .. } | Self::TooManyMessages { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::UpgradeRequired => StatusCode::UPGRADE_REQUIRED,
            Self::HeadTooLarge { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Publish(PublishError::TooManyKeys { .. } | PublishError::ShareOfKeys)
            | Self::ShareOfKeys { .. }
            | Self::TooManyTopics { .. }
            | Self::TooFast { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Publish(PublishError::TooLarge { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Publish(PublishError::KeyReused) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Publish(PublishError::NotReady(_) | PublishError::InDoubt(_))
            | Self::Full
            | Self::TooManyPatterns { .. }
            | Self::TooManyBodies
            | Self::Draining
            | Self::NotReady(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The error's name, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::BadRequest(_) => "bad_request",
            Self::TlsRequired => "tls_required",
            Self::UnknownTransferCoding => "unknown_transfer_coding",
            Self::HeadTooLarge { .. } => "head_too_large",
            Self::TooSlow { .. } => "too_slow",
            Self::BadParameter { .. } => "bad_parameter",
            Self::UnknownParameter { .. } => "unknown_parameter",
            Self::BadTopic(_) => "bad_topic",
            Self::BadCursor(_) => "bad_cursor",
            Self::BadKey(_) => "bad_key",
            Self::BadJson(_) => "bad_json",
            Self::BadFrame(_) => "bad_frame",
            Self::NoText => "no_text",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::TooLarge { .. } => "too_large",
            Self::TooManyMessages { .. } => "too_many_messages",
            Self::UnsupportedMediaType(_) => "unsupported_media_type",
            Self::UnexpectedBody => "unexpected_body",
            Self::UpgradeRequired => "upgrade_required",
            Self::BadHandshake(_) => "bad_handshake",
            Self::UnexpectedUpgrade => "unexpected_upgrade",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden { .. } | Self::OtherSubject => "forbidden",
            Self::NoTickets => "no_tickets",
            Self::Full => "full",
            Self::TooManyPatterns { .. } => "too_many_patterns",
            Self::TooManyTopics { .. } => "too_many_topics",
            Self::TooFast { .. } => "too_fast",
            Self::TooManyBodies => "too_many_bodies",
            Self::Draining => "draining",
            Self::Publish(PublishError::TooManyKeys { .. } | PublishError::ShareOfKeys) | Self::ShareOfKeys { .. } => {
                "too_many_keys"
            }
            Self::Publish(PublishError::TooLarge { .. }) => "too_large",
            Self::Publish(PublishError::KeyReused) => "key_reused",
            Self::Publish(PublishError::InDoubt(_)) => "in_doubt",
            Self::NotReady(_) | Self::Publish(PublishError::NotReady(_)) => "not_ready",
        }
    }

    /// The answer.
    pub(crate) fn reply(&self) -> Reply {
        let body = json!({ "error": self.code(), "message": self.to_string() });
        let mut reply = Reply::json(self.status(), Body::from_iter([body.to_string().into()]));
        reply.error = Some(ErrorCode(self.code()));
        match self {
            Self::MethodNotAllowed { allow } => reply.with(ALLOW, allow),
            // RFC 6750, section 3.
            Self::Unauthorized => reply.with(WWW_AUTHENTICATE, "Bearer"),
            // RFC 9110, section 15.5.22, and RFC 6455, section 4.4.
            Self::UpgradeRequired => {
                reply.with(UPGRADE, "websocket").with(CONNECTION, "upgrade").with(SEC_WEBSOCKET_VERSION, "13")
            }
            Self::TooFast { wait, .. }
            | Self::ShareOfKeys { wait, .. }
            | Self::Publish(PublishError::TooManyKeys { wait, .. }) => {
                reply.with_value(RETRY_AFTER, HeaderValue::from(seconds(*wait)))
            }
            _ if matches!(self.status(), StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) => {
                reply.with(RETRY_AFTER, RETRY_AFTER_SECONDS)
            }
            _ => reply,
        }
    }
}
