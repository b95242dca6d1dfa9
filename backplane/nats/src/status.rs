//! The status of a replica: how much of the stream it has, and whether it can publish.

use shared::backplane::NotReady;

/// The part of the stream that a replica has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Status {
    /// The replica has no history yet, so that nobody can be given a position in it.
    Unknown(NotReady),
    /// The replica has a history, but clients are better served elsewhere.
    Behind(NotReady),
    /// As `Behind`, and nothing may be published: the stream cannot keep the promise of delivery.
    Unfit(NotReady),
    /// The replica has everything that is stored, and follows what comes.
    Following,
}

impl Status {
    /// The status after following has failed. A history that is known stays known.
    pub(crate) fn after_failure(&self, reason: NotReady) -> Self {
        match self {
            Self::Unknown(_) => Self::Unknown(reason),
            // Until an inspection finds the stream repaired.
            Self::Unfit(unfit) => Self::Unfit(unfit.clone()),
            Self::Behind(_) | Self::Following => Self::Behind(reason),
        }
    }

    /// Logs the change to another status.
    pub(crate) fn log_change(&self, to: &Self, stream: &str, connected: bool) {
        match (self, to) {
            // That NATS is away has been logged already.
            (Self::Following, Self::Behind(reason) | Self::Unknown(reason)) if connected => {
                tracing::warn!(%reason, "not following the stream");
            }
            (Self::Unfit(_), Self::Unfit(_)) => {}
            (_, Self::Unfit(reason)) => tracing::error!(%reason, "nothing can be published"),
            (_, Self::Following) => tracing::info!(stream, "following the stream"),
            _ => {}
        }
    }
}
