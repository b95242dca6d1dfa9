//! The stream as it was at one moment.

use async_nats::jetstream::stream::Info;
use serde_json::Value;

use super::fit::Unfit;
use super::metadata::{CHANGED, EPOCH, HISTORY};
use super::settings::StreamSettings;
use shared::cursor::Epoch;

/// The extent and the limits of the stream as it was at one moment.
#[derive(Debug, Clone)]
pub(crate) struct StreamSnapshot {
    /// The time at which the stream was created, in microseconds since the Unix epoch.
    created: u64,
    /// The epoch in its metadata, which counts instead.
    pub(super) renewed: Option<u64>,
    /// The sequence of the oldest message; one more than the last where there is none.
    pub(crate) first: u64,
    /// The sequence of the newest message that there has been, 0 for none.
    pub(crate) last: u64,
    /// The number of messages that a topic may hold, if that is limited.
    pub(crate) per_topic: Option<u64>,
    /// The reason why the stream cannot be used.
    pub(crate) unfit: Option<Unfit>,
    /// The number of messages that a topic may hold was changed, and the metadata do not say so yet.
    pub(super) limit_change_unrecorded: bool,
}

impl StreamSnapshot {
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch::new(self.renewed.unwrap_or(self.created))
    }

    /// The snapshot that a server's description gives, which may have settings that the client library does not know.
    pub(super) fn from_json(settings: &StreamSettings, info: Value) -> serde_json::Result<Self> {
        let newer = settings.check_newer(&info["config"]);
        let mut snapshot = Self::new(settings, &serde_json::from_value::<Info>(info)?);
        snapshot.unfit = snapshot.unfit.or(newer.err());
        Ok(snapshot)
    }

    pub(super) fn new(settings: &StreamSettings, info: &Info) -> Self {
        let micros = info.created.unix_timestamp_nanos() / 1000;
        let last = info.state.last_sequence;
        Self {
            created: u64::try_from(micros).unwrap_or_default(),
            renewed: info.config.metadata.get(EPOCH).and_then(|number| number.parse().ok()),
            first: if info.state.messages == 0 { last + 1 } else { info.state.first_sequence },
            last,
            per_topic: u64::try_from(info.config.max_messages_per_subject).ok().filter(|limit| *limit > 0),
            unfit: settings.check(&info.config).err(),
            limit_change_unrecorded: info.config.metadata.get(HISTORY).is_some_and(|created_with| {
                created_with != CHANGED && *created_with != info.config.max_messages_per_subject.to_string()
            }),
        }
    }
}
