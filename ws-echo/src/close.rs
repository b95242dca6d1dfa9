//! Why this service closes a WebSocket: every code that it sends (RFC 6455, section 7.4.1, and the IANA registry).

use std::io;

use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

/// Why a WebSocket ends.
#[derive(Debug)]
pub(crate) enum Close {
    /// The client closed it; its code is sent back.
    ByClient,
    /// 1002: what the client sent is not the protocol.
    Protocol(String),
    /// 1007: a text of the client is not UTF-8.
    InvalidUtf8,
    /// 1008: no sign of life from the client for two heartbeats.
    Silent,
    /// 1009: a message of the client is larger than allowed.
    TooLarge(String),
    /// 1012: the service is shutting down; connect again, another one may have taken over.
    Restart,
    /// 1013: all connections are taken; try again later.
    Full,
    /// The connection broke or the client took nothing for the write time-out: there is nobody to tell.
    Gone(io::Error),
}

impl Close {
    /// What tells the client, if there is one to be told.
    pub(crate) fn code(&self) -> Option<(CloseCode, &str)> {
        let (code, reason) = match self {
            Self::ByClient | Self::Gone(_) => return None,
            Self::Protocol(what) => (CloseCode::Protocol, what.as_str()),
            Self::InvalidUtf8 => (CloseCode::Invalid, "text is not valid UTF-8"),
            Self::Silent => (CloseCode::Policy, "no sign of life for two heartbeats"),
            Self::TooLarge(what) => (CloseCode::Size, what.as_str()),
            Self::Restart => (CloseCode::Restart, "shutting down, connect again"),
            Self::Full => (CloseCode::Again, "all connections are taken, try again later"),
        };
        // A control frame holds 125 bytes, two of them the code.
        let reason = &reason[..reason.floor_char_boundary(123)];
        Some((code, reason))
    }

    /// Whether the client can be understood when it answers.
    pub(crate) fn is_answered(&self) -> bool {
        !matches!(self, Self::Protocol(_) | Self::InvalidUtf8 | Self::TooLarge(_))
    }
}

impl From<io::Error> for Close {
    fn from(error: io::Error) -> Self {
        Self::Gone(error)
    }
}
