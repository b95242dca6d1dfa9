//! The messages that were confirmed.

use anstyle::AnsiColor;
use serde::{Deserialize, Serialize};

use crate::notice::harmless;
use crate::output::Show;

/// The place of a message in the history, as a service confirms it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Receipt {
    pub(super) id: String,
    topic: String,
    at: String,
    /// An earlier publication under the same key has put it there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) repeated: bool,
}

/// The messages of all lines so far.
#[derive(Debug, Default, Serialize)]
pub(super) struct Published {
    /// The messages that are in the history.
    pub(super) published: u64,
    /// Those among them that were there before, under the same key.
    repeated: u64,
    first: Option<String>,
    last: Option<String>,
}

impl Published {
    pub(super) fn add(&mut self, receipts: Vec<Receipt>) {
        for Receipt { id, repeated, .. } in receipts {
            self.published += 1;
            self.repeated += u64::from(repeated);
            self.first.get_or_insert_with(|| id.clone());
            self.last = Some(id);
        }
    }
}

impl Show for Receipt {
    fn words(&self) -> String {
        let good = AnsiColor::Green.on_default().bold();
        let what = if self.repeated { "was published before" } else { "published" };
        let [id, topic] = [&self.id, &self.topic].map(|text| harmless(text));
        format!("{good}{what}{good:#} on {topic}: {id}")
    }
}

impl Show for Published {
    fn words(&self) -> String {
        let good = AnsiColor::Green.on_default().bold();
        let Self { published, repeated, first, last } = self;
        let repeated = if *repeated > 0 { format!(", {repeated} of them before") } else { String::new() };
        let range = match (first, last) {
            (Some(first), Some(last)) => format!(": {} to {}", harmless(first), harmless(last)),
            _ => String::new(),
        };
        format!("{good}published{good:#} {published} messages{repeated}{range}")
    }
}
