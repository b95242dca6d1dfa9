//! The stream as the flags want it.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};

use super::metadata::HISTORY;
use crate::config::NatsConfig;
use crate::stored_message;
use shared::backplane::IDEMPOTENCY_WINDOW;
use shared::hub::HistoryLimits;

/// The settings with which the stream is created, and the largest message that it has to take.
pub(crate) struct StreamSettings {
    pub(super) config: Config,
    pub(super) max_message_bytes: u64,
}

impl StreamSettings {
    pub(crate) fn new(nats: &NatsConfig, history: HistoryLimits, max_message_bytes: u64) -> Self {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let per_topic = signed(history.messages as u64);
        let config = Config {
            name: nats.stream.clone(),
            description: Some("The history of the push servers".to_owned()),
            subjects: vec![stored_message::ALL.to_owned()],
            retention: RetentionPolicy::Limits,
            discard: DiscardPolicy::Old,
            storage: StorageType::File,
            max_messages: -1,
            max_messages_per_subject: per_topic,
            max_age: history.age,
            max_bytes: signed(history.bytes as u64),
            max_message_size: -1,
            max_consumers: -1,
            // The server takes no window that is longer than a message lives.
            duplicate_window: IDEMPOTENCY_WINDOW.min(history.age),
            num_replicas: nats.replicas,
            allow_direct: true,
            deny_delete: true,
            deny_purge: true,
            metadata: HashMap::from([(HISTORY.to_owned(), per_topic.to_string())]),
            ..Config::default()
        };
        Self { config, max_message_bytes }
    }

    pub(crate) fn name(&self) -> &str {
        &self.config.name
    }

    /// The time for which the stream recognises a repeated publication, at least.
    pub(crate) fn duplicate_window(&self) -> Duration {
        self.config.duplicate_window
    }
}
