//! The requests about the stream.

use std::sync::{Arc, Once};

use async_nats::jetstream::context::{CreateStreamErrorKind, RequestError};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream::{Config, Info, LastRawMessageErrorKind};
use async_nats::jetstream::{Context, ErrorCode};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::error::StreamError;
use super::recorded::Recorded;
use super::settings::StreamSettings;
use super::snapshot::StreamSnapshot;
use crate::link::Link;
use shared::wall_clock::{SystemClock, WallClock};

/// The most attempts to write the metadata. Each of few processes that write at once has to come last once.
const EDITS: usize = 10;

/// The stream, asked through the connection.
pub(crate) struct HistoryStream {
    link: Arc<Link>,
    pub(crate) settings: StreamSettings,
    /// The differences between the flags and the stream's own limits are logged once.
    differences: Once,
    recorded: Mutex<Recorded>,
}

impl HistoryStream {
    pub(crate) fn new(link: Arc<Link>, settings: StreamSettings) -> Self {
        Self { link, settings, differences: Once::new(), recorded: Mutex::default() }
    }

    pub(crate) fn name(&self) -> &str {
        self.settings.name()
    }

    /// Takes a snapshot of the stream.
    pub(crate) async fn snapshot(&self) -> Result<StreamSnapshot, StreamError> {
        let info = self.info().await?;
        self.snapshot_of(info)
    }

    /// The server's description of the stream.
    async fn info(&self) -> Result<Value, StreamError> {
        let answer = self.link.jetstream()?.request(format!("STREAM.INFO.{}", self.name()), &json!({})).await;
        match answer.map_err(|error| self.unreachable(error))? {
            Response::Ok(info) => Ok(info),
            Response::Err { error } if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                Err(StreamError::Missing { stream: self.name().to_owned() })
            }
            Response::Err { error } => Err(self.unreachable(error)),
        }
    }

    fn snapshot_of(&self, info: Value) -> Result<StreamSnapshot, StreamError> {
        if let Ok(config) = serde_json::from_value(info["config"].clone()) {
            self.differences.call_once(|| self.log_differences(&config));
        }
        StreamSnapshot::from_json(&self.settings, info).map_err(|error| self.unreachable(error))
    }

    /// The snapshot in an answer of the client library.
    pub(crate) fn snapshot_in(&self, info: &Info) -> StreamSnapshot {
        StreamSnapshot::new(&self.settings, info)
    }

    /// Takes a snapshot. If the number of messages that a topic may hold was changed, that is recorded in the metadata. What
    /// this process knows to have been recorded and another one has overwritten is recorded again.
    pub(crate) async fn inspect(&self) -> Result<StreamSnapshot, StreamError> {
        for _ in 0..EDITS {
            let mut info = self.info().await?;
            let mut config = info["config"].clone();
            let snapshot = self.snapshot_of(info.take())?;
            if snapshot.limit_change_unrecorded {
                tracing::error!(stream = self.name(), "max_msgs_per_subject was changed; the stream is given up");
            }
            let found = snapshot.recorded();
            let recorded = {
                let mut recorded = self.recorded.lock();
                recorded
                    .merge(Recorded { limit_changed: found.limit_changed | snapshot.limit_change_unrecorded, ..found });
                *recorded
            };
            if recorded == found {
                return Ok(snapshot);
            }
            // As JSON, so that the settings of a later server stay as they are.
            let metadata = &mut config["metadata"];
            if let Some(metadata) = metadata.as_object_mut() {
                // These are the server's own.
                metadata.retain(|key, _| !key.starts_with("_nats."));
            }
            recorded.put(metadata);
            let answer = self.link.jetstream()?.request(format!("STREAM.UPDATE.{}", self.name()), &config).await;
            // Read again, since another process may have written in between.
            let _: Value = self.accepted(answer)?;
        }
        Err(self.unreachable("its metadata are overwritten again and again"))
    }

    /// As [`HistoryStream::inspect`], and fails if the stream cannot keep the promise of delivery. A stream that is missing
    /// is created; many processes may do this at once.
    pub(crate) async fn inspect_or_create(&self) -> Result<StreamSnapshot, StreamError> {
        let jetstream = self.link.jetstream()?;
        let client = jetstream.client();
        if !client.is_server_compatible(2, 10, 0) {
            return Err(StreamError::TooOld { version: client.server_info().version });
        }
        let snapshot = match self.inspect().await {
            Err(StreamError::Missing { .. }) => self.create(&jetstream).await?,
            snapshot => snapshot?,
        };
        match snapshot.unfit {
            Some(unfit) => Err(unfit.into()),
            None => Ok(snapshot),
        }
    }

    async fn create(&self, jetstream: &Context) -> Result<StreamSnapshot, StreamError> {
        match jetstream.create_stream(self.settings.config.clone()).await {
            Ok(stream) => {
                tracing::info!(stream = self.name(), "stream created");
                Ok(self.snapshot_in(stream.cached_info()))
            }
            Err(error) => match error.kind() {
                // Another process was faster, and has other flags.
                CreateStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NAME_EXIST => {
                    self.inspect().await
                }
                _ => Err(StreamError::NotCreated { stream: self.name().to_owned(), reason: error.to_string() }),
            },
        }
    }

    /// The time at which the stream stored the message of a sequence, in nanoseconds since the Unix epoch, if it still has
    /// the message.
    pub(crate) async fn stored_at(&self, sequence: u64) -> Result<Option<i128>, StreamError> {
        Ok(self.raw(sequence).await?.map(|message| message.time.unix_timestamp_nanos()))
    }

    /// The message of a sequence, if the stream still has it: as its leader has it, since other servers may be behind.
    pub(crate) async fn raw(&self, sequence: u64) -> Result<Option<StreamMessage>, StreamError> {
        let stream = self.link.jetstream()?.get_stream_no_info(self.name()).await;
        let stream = stream.map_err(|error| self.unreachable(error))?;
        match stream.get_raw_message(sequence).await {
            Ok(message) => Ok(Some(message)),
            Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => Ok(None),
            Err(error) => Err(self.unreachable(error)),
        }
    }

    /// Gives the stream's history a new epoch, unless another process has done so since the snapshot.
    pub(crate) async fn renew_epoch(&self, snapshot: &StreamSnapshot) -> Result<(), StreamError> {
        let now = self.inspect().await?;
        if now.epoch() == snapshot.epoch() {
            let epoch = SystemClock.now().as_millis() * 1000 + fastrand::u64(..1000);
            // Greater than the last one, whatever the clocks of other processes say.
            let epoch = epoch.max(now.renewed.unwrap_or_default() + 1);
            self.recorded.lock().merge(Recorded { epoch: Some(epoch), ..now.recorded() });
            self.inspect().await?;
        }
        Ok(())
    }

    /// The content of an answer that reports no error.
    fn accepted(&self, answer: Result<Response<Value>, RequestError>) -> Result<Value, StreamError> {
        match answer.map_err(|error| self.unreachable(error))? {
            Response::Ok(value) => Ok(value),
            Response::Err { error } => Err(self.unreachable(error)),
        }
    }

    fn unreachable(&self, error: impl std::fmt::Display) -> StreamError {
        StreamError::Unreachable { stream: self.name().to_owned(), reason: error.to_string() }
    }

    /// Logs the limits in which the stream differs from the flags. That is allowed, and the stream's own count.
    fn log_differences(&self, is: &Config) {
        let asked = &self.settings.config;
        for (flag, is, asked) in [
            ("--history", is.max_messages_per_subject.to_string(), asked.max_messages_per_subject.to_string()),
            ("--history-age", format!("{:?}", is.max_age), format!("{:?}", asked.max_age)),
            ("--history-bytes", is.max_bytes.to_string(), asked.max_bytes.to_string()),
            ("--nats-replicas", is.num_replicas.to_string(), asked.num_replicas.to_string()),
        ] {
            if is != asked {
                tracing::info!(stream = self.name(), flag, %is, %asked, "the stream was created with another limit, which counts");
            }
        }
    }
}
