//! The check that a stream can keep the promise of delivery.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use serde_json::Value;

use super::metadata::HISTORY;
use super::settings::StreamSettings;
use crate::stored_message;
use shared::backplane::IDEMPOTENCY_WINDOW;

/// The bytes of a stored message beside its text: its headers, and what the stream adds.
const ENVELOPE: u64 = 4096;

/// The setting because of which a stream cannot be used.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error(
    "the NATS stream {stream} has {setting} {is}, and must have {must}: {remedy}, or name another one with \
     --nats-stream, which is created as it has to be"
)]
pub(crate) struct Unfit {
    stream: String,
    setting: &'static str,
    is: String,
    must: String,
    remedy: &'static str,
}

/// The remedy for a setting that can be changed.
const EDIT: &str = "change it with `nats stream edit`";

/// The remedy for a setting with which messages may be missing already.
const DELETE: &str = "delete it with `nats stream rm`, with all that it holds";

impl StreamSettings {
    /// Checks that the promise of delivery can be kept with the settings that a stream has.
    pub(super) fn check(&self, config: &Config) -> Result<(), Unfit> {
        let check = |keeps, setting, is, must: &str| self.require(keeps, setting, is, must, EDIT);
        let file = config.storage == StorageType::File;
        self.require(file, "the storage", format!("{:?}", config.storage), "File: it is to outlast NATS", DELETE)?;
        let seconds = |time: Duration| format!("{} s", time.as_secs_f64());
        check(
            config.subjects.iter().any(|subject| subject == stored_message::ALL || subject == ">"),
            "the subjects",
            config.subjects.join(", "),
            stored_message::ALL,
        )?;
        let limits = config.retention == RetentionPolicy::Limits;
        check(limits, "the retention policy", format!("{:?}", config.retention), "Limits")?;
        // With any other, publications would be refused once the stream is full.
        let old = config.discard == DiscardPolicy::Old && !config.discard_new_per_subject;
        check(old, "the discard policy", format!("{:?}", config.discard), "Old, also per subject")?;
        check(!config.no_ack, "no_ack", "true".to_owned(), "false: publications are answered once they are confirmed")?;
        check(!config.sealed, "sealed", "true".to_owned(), "false")?;
        let window = IDEMPOTENCY_WINDOW.min(self.config.max_age);
        check(
            config.duplicate_window >= window,
            "a duplicate window of",
            seconds(config.duplicate_window),
            &format!("{} or more, by which repeated publications are recognised", seconds(window)),
        )?;
        let unlimited = "unlimited (-1): otherwise missing messages could not be reported";
        check(config.max_messages <= 0, "max_msgs", config.max_messages.to_string(), unlimited)?;
        let consumers = "unlimited (-1): every replica has one, and more while it reads older messages";
        check(config.max_consumers <= 0, "max_consumers", config.max_consumers.to_string(), consumers)?;
        let enough = self.max_message_bytes + ENVELOPE;
        check(
            u64::try_from(config.max_message_size).map_or(true, |size| size == 0 || size >= enough),
            "max_msg_size",
            config.max_message_size.to_string(),
            &format!("unlimited (-1), or {enough} or more, for --max-message-bytes"),
        )?;
        check(
            config.deny_delete,
            "deny_delete",
            "false".to_owned(),
            "true: a deleted message would be missing unreported",
        )?;
        check(
            config.deny_purge,
            "deny_purge",
            "false".to_owned(),
            "true: purged messages would be missing unreported",
        )?;
        check(
            !config.allow_rollup,
            "allow_rollup_hdrs",
            "true".to_owned(),
            "false: what is rolled up would be missing unreported",
        )?;
        check(config.subject_transform.is_none(), "a subject transform", "set".to_owned(), "none")?;
        check(config.mirror.is_none() && config.sources.is_none(), "mirror or sources", "set".to_owned(), "none")?;
        let per_topic = config.max_messages_per_subject.to_string();
        let created_with = config.metadata.get(HISTORY).cloned().unwrap_or_else(|| "none".to_owned());
        self.require(
            created_with == per_topic,
            "max_msgs_per_subject",
            format!("{per_topic} (and {HISTORY} {created_with} in its metadata)"),
            "what it was created with, always, and the same number in its metadata: it was changed once, or the stream \
             was not created by one of these servers, so that missing messages cannot be reported",
            DELETE,
        )
    }

    /// Checks the settings that later servers have and the client library does not know.
    pub(super) fn check_newer(&self, config: &Value) -> Result<(), Unfit> {
        for (setting, what) in [
            ("allow_msg_ttl", "false: a message that expires by itself would be missing unreported"),
            ("allow_msg_schedules", "false: a schedule changes what is stored"),
            ("allow_msg_counter", "false: a counter is no message"),
        ] {
            self.require(config[setting] != true, setting, "true".to_owned(), what, DELETE)?;
        }
        let asynchronous = config["persist_mode"] == "async";
        let must = "default: what is confirmed has to be stored";
        self.require(!asynchronous, "persist_mode", "async".to_owned(), must, DELETE)
    }

    fn require(
        &self,
        keeps: bool,
        setting: &'static str,
        is: String,
        must: &str,
        remedy: &'static str,
    ) -> Result<(), Unfit> {
        let unfit = || Unfit { stream: self.name().to_owned(), setting, is, must: must.to_owned(), remedy };
        if keeps { Ok(()) } else { Err(unfit()) }
    }
}
