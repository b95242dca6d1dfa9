//! The reasons why this service closes a WebSocket, with every code that it sends (RFC 6455, section 7.4.1, and the IANA
//! registry).

use serving::metrics::End;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

/// The code of a client that has to authenticate itself (IANA registry).
const UNAUTHORIZED: u16 = 3000;

/// The reason why a WebSocket ends.
#[derive(Debug)]
pub(crate) enum Close {
    /// The client closed it; its code is sent back.
    ByClient(Option<CloseCode>),
    /// 1002: the client does not speak the protocol.
    Protocol(String),
    /// 1007: a text of the client is not UTF-8.
    InvalidUtf8,
    /// 1008: no sign of life from the client for two heartbeats.
    Silent,
    /// 1008: a message of the client has begun, and is not whole after `--read-timeout`.
    TooSlow,
    /// 1009: a message of the client is larger than allowed.
    TooLarge(String),
    /// 1012: the service is shutting down; connect again, another one may have taken over.
    Restart,
    /// 3000: the client's token has expired; connect again with another.
    Expired,
    /// 1013: all connections are taken; try again later.
    Full,
    /// 1013: too many messages have begun that are not whole; try again later.
    NoMemory,
}

impl Close {
    /// The payload of the close frame: the code and the reason.
    pub(crate) fn payload(&self) -> Vec<u8> {
        let (code, reason) = match self {
            Self::ByClient(None) => return Vec::new(),
            Self::ByClient(Some(code)) => (*code, ""),
            Self::Protocol(reason) => (CloseCode::Protocol, reason.as_str()),
            Self::InvalidUtf8 => (CloseCode::Invalid, "text is not valid UTF-8"),
            Self::Silent => (CloseCode::Policy, "no sign of life for two heartbeats"),
            Self::TooSlow => (CloseCode::Policy, "a message took too long to arrive, send it faster"),
            Self::TooLarge(reason) => (CloseCode::Size, reason.as_str()),
            Self::Restart => (CloseCode::Restart, "shutting down, connect again"),
            Self::Expired => (CloseCode::from(UNAUTHORIZED), "the token has expired, connect again with another"),
            Self::Full => (CloseCode::Again, "all connections are taken, try again later"),
            Self::NoMemory => (CloseCode::Again, "too many messages are under way, try again later"),
        };
        // A control frame holds 125 bytes, two of them the code.
        let reason = &reason[..reason.floor_char_boundary(123)];
        [&u16::from(code).to_be_bytes(), reason.as_bytes()].concat()
    }

    /// The reason, as it is counted.
    pub(crate) fn end(&self) -> End {
        match self {
            Self::ByClient(_) => End::Client,
            Self::Protocol(_) | Self::InvalidUtf8 | Self::TooSlow | Self::TooLarge(_) => End::Protocol,
            Self::Silent => End::Silent,
            Self::Restart => End::Draining,
            Self::Expired => End::Expired,
            Self::Full | Self::NoMemory => End::Full,
        }
    }

    /// Returns whether to wait for the client's close frame.
    pub(crate) fn is_answered(&self) -> bool {
        matches!(self, Self::Silent | Self::Restart | Self::Expired | Self::Full)
    }
}
