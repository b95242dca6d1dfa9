//! The values of labels. There are few, and no client can make more.

/// A label, by its name and value.
pub(super) type Label = [(&'static str, &'static str); 1];

pub(super) fn reason(reason: &'static str) -> Label {
    [("reason", reason)]
}

pub(super) fn result(result: &'static str) -> Label {
    [("result", result)]
}

/// The method by which a service pushes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// WebSocket.
    WebSockets,
    /// Server-Sent Events.
    ServerSentEvents,
    /// Long polling.
    LongPolling,
}

impl Method {
    /// The name of its service.
    #[cfg(feature = "otlp")]
    pub(crate) fn service(self) -> &'static str {
        match self {
            Self::WebSockets => "ws-echo",
            Self::ServerSentEvents => "sse-server",
            Self::LongPolling => "longpoll-server",
        }
    }

    /// The value of the label `transport`.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::WebSockets => "web_sockets",
            Self::ServerSentEvents => "server_sent_events",
            Self::LongPolling => "long_polling",
        }
    }
}

/// The reason why a client stays no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its poll is answered.
    Answered,
    /// It has closed the connection, or that broke.
    Client,
    /// It took nothing for `--write-timeout`.
    WriteTimeout,
    /// Its WebSocket gave no sign of life for two heartbeats.
    Silent,
    /// What it sent is not allowed.
    Protocol,
    /// Its token has expired.
    Expired,
    /// The service is shutting down.
    Draining,
    /// All places are taken.
    Full,
    /// Somebody who runs the service has ended it.
    Operator,
}

impl End {
    /// All of them, in their order.
    pub(super) const ALL: [Self; 9] = [
        Self::Answered,
        Self::Client,
        Self::WriteTimeout,
        Self::Silent,
        Self::Protocol,
        Self::Expired,
        Self::Draining,
        Self::Full,
        Self::Operator,
    ];

    /// Returns whether that is as it should be.
    #[cfg(feature = "otlp")]
    pub(crate) fn is_in_order(self) -> bool {
        match self {
            Self::Answered | Self::Client | Self::Expired | Self::Draining => true,
            Self::WriteTimeout | Self::Silent | Self::Protocol | Self::Full | Self::Operator => false,
        }
    }

    /// The value of the label `reason`.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Client => "client",
            Self::WriteTimeout => "write_timeout",
            Self::Silent => "silent",
            Self::Protocol => "protocol",
            Self::Expired => "expired",
            Self::Draining => "draining",
            Self::Full => "full",
            Self::Operator => "operator",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_its_place() {
        for (index, end) in End::ALL.into_iter().enumerate() {
            assert_eq!(end as usize, index);
        }
    }
}
