//! The stream: its settings, and which history it holds.

mod fit;

use std::collections::HashMap;
use std::sync::Once;
use std::time::Duration;

use async_nats::jetstream::context::CreateStreamErrorKind;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream::{
    Config, DiscardPolicy, Info, LastRawMessageErrorKind, RetentionPolicy, StorageType,
};
use async_nats::jetstream::{Context, ErrorCode};
use serde_json::{Value, json};

use fit::Unfit;

use super::wire;
use crate::config::NatsConfig;
use shared::backplane::IDEMPOTENCY_WINDOW;
use shared::cursor::Epoch;
use shared::hub::HistoryLimits;
use shared::timestamp::Timestamp;

/// In the stream's metadata: how many messages a topic may hold, as the stream was created.
///
/// What is missing of the stored messages is judged by the number that a topic may hold. If that number has been another,
/// messages may be gone of topics that are not full by what it is now. So whoever sees that it was changed writes
/// [`CHANGED`] here, and the stream is never used again, even if the number is put back.
const HISTORY: &str = "push-history";

/// See [`HISTORY`].
const CHANGED: &str = "changed";

/// In the stream's metadata: the epoch of its history, if that is not the stream's creation any more.
const EPOCH: &str = "push-epoch";

/// What a message may have beside its text: its headers, and what the stream adds.
const ENVELOPE: u64 = 4096;

/// The stream as the flags want it.
pub(super) struct StreamSpec {
    config: Config,
    max_message_bytes: u64,
    differences: Once,
}

/// The stream as it is.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// When it was created, in microseconds since the Unix epoch.
    created: u64,
    /// What its metadata says instead.
    renewed: Option<u64>,
    /// The oldest message; the one after the last where there is none.
    pub(super) first: u64,
    /// The newest message there has been, 0 for none.
    pub(super) last: u64,
    /// How many messages a topic may hold, if that is limited.
    pub(super) per_topic: Option<u64>,
    /// Why it cannot be used.
    pub(super) unfit: Option<Unfit>,
    /// The number that a topic may hold was changed, and that is not in the metadata yet.
    changed_untold: bool,
}

/// Why the stream is not known.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookError {
    #[error("{0}")]
    Unfit(#[from] Unfit),
    #[error("NATS is of version {0}, and 2.10 or newer is needed: a stream has to keep metadata")]
    TooOld(String),
    #[error("the stream {0} is missing")]
    Missing(String),
    #[error("the stream {0} cannot be reached: {1}")]
    OutOfReach(String, String),
    #[error("the stream {0} cannot be created: {1}")]
    NotCreated(String, String),
}

impl Seen {
    pub(super) fn epoch(&self) -> Epoch {
        Epoch::new(self.renewed.unwrap_or(self.created))
    }
}

impl StreamSpec {
    pub(super) fn new(nats: &NatsConfig, history: HistoryLimits, max_message_bytes: u64) -> Self {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let per_topic = signed(history.messages as u64);
        let config = Config {
            name: nats.stream.clone(),
            description: Some("The history of the push servers".to_owned()),
            subjects: vec![wire::ALL.to_owned()],
            retention: RetentionPolicy::Limits,
            discard: DiscardPolicy::Old,
            storage: StorageType::File,
            max_messages: -1,
            max_messages_per_subject: per_topic,
            max_age: history.age,
            max_bytes: signed(history.bytes as u64),
            max_message_size: -1,
            max_consumers: -1,
            // The window may not be longer than a message lives.
            duplicate_window: IDEMPOTENCY_WINDOW.min(history.age),
            num_replicas: nats.replicas,
            allow_direct: true,
            deny_delete: true,
            deny_purge: true,
            metadata: HashMap::from([(HISTORY.to_owned(), per_topic.to_string())]),
            ..Config::default()
        };
        Self { config, max_message_bytes, differences: Once::new() }
    }

    pub(super) fn name(&self) -> &str {
        &self.config.name
    }

    /// How long the stream recognises what is sent again, at least.
    pub(super) fn window(&self) -> Duration {
        self.config.duplicate_window
    }

    /// The stream as it is.
    pub(super) async fn look(&self, jetstream: &Context) -> Result<Seen, LookError> {
        let out_of_reach = |error: String| LookError::OutOfReach(self.name().to_owned(), error);
        let asked = jetstream.request(format!("STREAM.INFO.{}", self.name()), &json!({})).await;
        let info = match asked.map_err(|error| out_of_reach(error.to_string()))? {
            Response::Ok(info) => info,
            Response::Err { error } if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                return Err(LookError::Missing(self.name().to_owned()));
            }
            Response::Err { error } => return Err(out_of_reach(error.to_string())),
        };
        self.seen_as_it_comes(info).map_err(|error| out_of_reach(error.to_string()))
    }

    /// The stream as a server describes it, which may know settings that the library does not.
    fn seen_as_it_comes(&self, info: Value) -> serde_json::Result<Seen> {
        let newer = self.fit_newer(&info["config"]);
        let mut seen = self.seen(&serde_json::from_value::<Info>(info)?);
        seen.unfit = seen.unfit.or(newer.err());
        Ok(seen)
    }

    /// As [`StreamSpec::look`]. If the number that a topic may hold was changed, that is put on record.
    pub(super) async fn watch(&self, jetstream: &Context) -> Result<Seen, LookError> {
        let seen = self.look(jetstream).await?;
        if seen.changed_untold {
            tracing::error!(stream = self.name(), "max_msgs_per_subject was changed; the stream is given up");
            let changed = |metadata: &mut Value| metadata[HISTORY] = Value::from(CHANGED);
            self.edit_metadata(jetstream, |_| true, changed).await?;
        }
        Ok(seen)
    }

    /// The stream as it is, created if it is missing. Many processes may do this at once.
    pub(super) async fn look_or_create(&self, jetstream: &Context) -> Result<Seen, LookError> {
        let client = jetstream.client();
        if !client.is_server_compatible(2, 10, 0) {
            return Err(LookError::TooOld(client.server_info().version));
        }
        match self.watch(jetstream).await {
            Err(LookError::Missing(_)) => {}
            seen => return seen,
        }
        match jetstream.create_stream(self.config.clone()).await {
            Ok(stream) => {
                tracing::info!(stream = self.name(), "stream created");
                Ok(self.seen(stream.cached_info()))
            }
            Err(error) => match error.kind() {
                // Another process was faster, and has other flags.
                CreateStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NAME_EXIST => {
                    self.watch(jetstream).await
                }
                _ => Err(LookError::NotCreated(self.name().to_owned(), error.to_string())),
            },
        }
    }

    /// When the stream took what has a number, in nanoseconds since the Unix epoch, if it still has it.
    pub(super) async fn stored_at(&self, jetstream: &Context, sequence: u64) -> Result<Option<i128>, LookError> {
        Ok(self.raw(jetstream, sequence).await?.map(|message| message.time.unix_timestamp_nanos()))
    }

    /// The subject of what has a number, and when it was published, if the stream still has it.
    pub(super) async fn stored(
        &self,
        jetstream: &Context,
        sequence: u64,
    ) -> Result<Option<(String, Timestamp)>, LookError> {
        Ok(self.raw(jetstream, sequence).await?.map(|message| {
            let nanos = message.time.unix_timestamp_nanos();
            let subject = message.subject.to_string();
            let headers = Some(&message.headers);
            let at = wire::Stored { subject: &subject, headers, payload: &message.payload, nanos }.at();
            (subject, at)
        }))
    }

    /// As the stream's leader has it, since others may be behind.
    async fn raw(&self, jetstream: &Context, sequence: u64) -> Result<Option<StreamMessage>, LookError> {
        let out_of_reach = |error: String| LookError::OutOfReach(self.name().to_owned(), error);
        let stream = jetstream.get_stream_no_info(self.name()).await;
        let stream = stream.map_err(|error| out_of_reach(error.to_string()))?;
        match stream.get_raw_message(sequence).await {
            Ok(message) => Ok(Some(message)),
            Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => Ok(None),
            Err(error) => Err(out_of_reach(error.to_string())),
        }
    }

    /// Gives the stream's history a new epoch, unless another process has done so since `seen`.
    pub(super) async fn renew(&self, jetstream: &Context, seen: &Seen) -> Result<(), LookError> {
        let unchanged =
            |metadata: &Value| metadata[EPOCH].as_str().and_then(|number| number.parse::<u64>().ok()) == seen.renewed;
        let epoch = (Timestamp::now().as_millis() * 1000 + fastrand::u64(..1000)).to_string();
        self.edit_metadata(jetstream, unchanged, |metadata| metadata[EPOCH] = Value::from(epoch)).await
    }

    /// Changes the stream's metadata, if they are still as expected.
    async fn edit_metadata(
        &self,
        jetstream: &Context,
        expected: impl FnOnce(&Value) -> bool,
        edit: impl FnOnce(&mut Value),
    ) -> Result<(), LookError> {
        let out_of_reach = |error: String| LookError::OutOfReach(self.name().to_owned(), error);
        // As it comes, so that settings of a later server stay as they are.
        let asked = jetstream.request(format!("STREAM.INFO.{}", self.name()), &json!({})).await;
        let info: Value = answer(asked).map_err(out_of_reach)?;
        let mut config = info["config"].clone();
        let metadata = &mut config["metadata"];
        if !expected(metadata) {
            return Ok(());
        }
        if let Some(metadata) = metadata.as_object_mut() {
            // The server's own.
            metadata.retain(|key, _| !key.starts_with("_nats."));
        }
        edit(metadata);
        let updated = jetstream.request(format!("STREAM.UPDATE.{}", self.name()), &config).await;
        answer(updated).map(drop).map_err(out_of_reach)
    }

    pub(super) fn seen(&self, info: &Info) -> Seen {
        self.differences.call_once(|| self.log_differences(&info.config));
        let micros = info.created.unix_timestamp_nanos() / 1000;
        let last = info.state.last_sequence;
        Seen {
            created: u64::try_from(micros).unwrap_or_default(),
            renewed: info.config.metadata.get(EPOCH).and_then(|number| number.parse().ok()),
            first: if info.state.messages == 0 { last + 1 } else { info.state.first_sequence },
            last,
            per_topic: u64::try_from(info.config.max_messages_per_subject).ok().filter(|limit| *limit > 0),
            unfit: self.fit(&info.config).err(),
            changed_untold: info.config.metadata.get(HISTORY).is_some_and(|created_with| {
                created_with != CHANGED && *created_with != info.config.max_messages_per_subject.to_string()
            }),
        }
    }

    /// Says in which limits the stream differs from the flags, which is allowed: its own count.
    fn log_differences(&self, is: &Config) {
        let asked = &self.config;
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

/// What the stream answered, if it is no error.
fn answer<E: std::fmt::Display>(asked: Result<Response<Value>, E>) -> Result<Value, String> {
    match asked {
        Ok(Response::Ok(value)) => Ok(value),
        Ok(Response::Err { error }) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}
