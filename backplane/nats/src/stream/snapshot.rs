//! The stream as it was at one moment.

use async_nats::jetstream::stream::Info;
use serde_json::Value;
use tokio::time::Instant;

use super::fit::Unfit;
use super::metadata::{CHANGED, EPOCH, HISTORY};
use super::recorded::Recorded;
use super::settings::StreamSettings;
use super::stream_clock::StreamClock;
use shared::cursor::Epoch;
use shared::wall_clock::{SystemClock, WallClock};

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
    /// The metadata say that the number was changed.
    limit_changed: bool,
    /// The stream's clock when the snapshot was taken.
    pub(crate) clock: StreamClock,
}

impl StreamSnapshot {
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch::new(self.renewed.unwrap_or(self.created))
    }

    /// The content of the metadata.
    pub(super) fn recorded(&self) -> Recorded {
        Recorded { created: self.created, epoch: self.renewed, limit_changed: self.limit_changed }
    }

    /// The snapshot that a server's description gives, which may have settings that the client library does not know.
    pub(super) fn from_json(settings: &StreamSettings, info: Value) -> serde_json::Result<Self> {
        let newer = settings.check_newer(&info["config"]);
        let time = info["ts"].as_str().and_then(|time| time.parse::<jiff::Timestamp>().ok());
        let mut snapshot = Self::new(settings, &serde_json::from_value::<Info>(info)?);
        snapshot.unfit = snapshot.unfit.or(newer.err());
        if let Some(time) = time {
            snapshot.clock.nanos = time.as_nanosecond();
        }
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
            limit_changed: info.config.metadata.get(HISTORY).is_some_and(|created_with| created_with == CHANGED),
            // If the server does not report its clock, this machine's has to do.
            clock: StreamClock { nanos: i128::from(SystemClock.now().as_millis()) * 1_000_000, read: Instant::now() },
            limit_change_unrecorded: info.config.metadata.get(HISTORY).is_some_and(|created_with| {
                created_with != CHANGED && *created_with != info.config.max_messages_per_subject.to_string()
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::config::tests::config;
    use shared::hub::HistoryLimits;

    const LIMITS: HistoryLimits = HistoryLimits { messages: 1000, age: Duration::from_secs(600), bytes: 64 << 20 };

    fn settings() -> StreamSettings {
        StreamSettings::new(&config(&[]), LIMITS, 64 << 10)
    }

    fn info(settings: &StreamSettings) -> Value {
        let state = json!({
            "messages": 0, "bytes": 0, "first_seq": 0, "last_seq": 0, "consumer_count": 0,
            "first_ts": "0001-01-01T00:00:00Z", "last_ts": "0001-01-01T00:00:00Z",
        });
        json!({ "config": &settings.config, "created": "2026-11-22T07:25:08.123456Z", "state": state })
    }

    fn unfit(settings: &StreamSettings, info: Value) -> Option<String> {
        StreamSnapshot::from_json(settings, info).unwrap().unfit.map(|unfit| unfit.to_string())
    }

    #[test]
    fn a_stream_that_cannot_keep_the_promise_is_distinguished_from_one_that_can() {
        let settings = settings();
        assert_eq!(unfit(&settings, info(&settings)), None);
        for (setting, value) in [
            ("storage", json!("memory")),
            ("max_consumers", json!(2)),
            ("no_ack", json!(true)),
            ("sealed", json!(true)),
            ("allow_rollup_hdrs", json!(true)),
            ("subject_transform", json!({ "src": "push.>", "dest": "x.>" })),
            ("mirror", json!({ "name": "other" })),
            ("sources", json!([{ "name": "other" }])),
            ("discard_new_per_subject", json!(true)),
            ("allow_msg_ttl", json!(true)),
            ("allow_msg_schedules", json!(true)),
            ("allow_msg_counter", json!(true)),
            ("persist_mode", json!("async")),
        ] {
            let mut info = info(&settings);
            info["config"][setting] = value;
            let message = unfit(&settings, info).unwrap_or_else(|| panic!("{setting} is accepted"));
            let word = setting.split('_').next().unwrap();
            assert!(message.contains(word), "{setting}: {message}");
        }
    }

    #[test]
    fn a_changed_number_is_recorded_once_and_counts_for_ever() {
        let settings = settings();
        for (is, created_with, unrecorded) in [(2, "1000", true), (2, CHANGED, false), (1000, CHANGED, false)] {
            let mut info = info(&settings);
            info["config"]["max_msgs_per_subject"] = json!(is);
            info["config"]["metadata"][HISTORY] = json!(created_with);
            let snapshot = StreamSnapshot::from_json(&settings, info).unwrap();
            let found = (snapshot.unfit.is_some(), snapshot.limit_change_unrecorded);
            assert_eq!(found, (true, unrecorded), "{is} {created_with}");
        }
    }
}
