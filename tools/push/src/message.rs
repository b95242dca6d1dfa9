//! Messages and gaps, as a service sends them.

use anstyle::{AnsiColor, Style};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::notice::harmless;
use crate::output::Show;

/// A message. As JSON: `{"id":…,"topic":…,"text":…,"event":…,"at":…}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) topic: String,
    pub(crate) text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) event: Option<String>,
    pub(crate) at: String,
    /// The fields that a later version of the services may add.
    #[serde(flatten)]
    pub(crate) more: Map<String, Value>,
}

/// A gap: messages between two cursors are missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gap {
    pub(crate) reason: String,
    pub(crate) since: String,
    pub(crate) cursor: String,
}

/// A page of messages, as `/messages` and `/poll` answer.
#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    pub(crate) messages: Vec<Message>,
    pub(crate) cursor: String,
    pub(crate) more: bool,
    pub(crate) gap: Option<Gap>,
}

/// A gap among messages. As JSON: `{"gap":{"reason":…,"since":…,"cursor":…}}`.
#[derive(Debug, Serialize)]
pub(crate) struct GapLine<'a> {
    pub(crate) gap: &'a Gap,
}

impl Gap {
    /// Returns what happened, in words.
    pub(crate) fn describe(&self) -> String {
        let Self { reason, since, cursor } = self;
        let happened = match reason.as_str() {
            "expired" => "the history no longer reaches back to where this command was",
            "epoch" => {
                "the history is another one than before, as after a restart of a service that keeps it in memory"
            }
            "lagged" => "this command read so slowly that its position fell out of the history",
            _ => "messages are missing",
        };
        format!("gap ({reason}): {happened}; what was published between {since} and {cursor} is missing")
    }
}

const DIM: Style = Style::new().dimmed();
const TOPIC: Style = AnsiColor::Cyan.on_default();
const EVENT: Style = AnsiColor::Magenta.on_default();

impl Show for Message {
    fn words(&self) -> String {
        let Self { topic, text, at, .. } = self;
        let [topic, text, at] = [topic, text, at].map(|text| harmless(text));
        let event = match &self.event {
            Some(event) => format!(" {EVENT}[{}]{EVENT:#}", harmless(event)),
            None => String::new(),
        };
        format!("{DIM}{at}{DIM:#} {TOPIC}{topic}{TOPIC:#}{event} {text}")
    }
}

impl Show for GapLine<'_> {
    fn words(&self) -> String {
        let style = AnsiColor::Yellow.on_default().bold();
        format!("{style}{}{style:#}", harmless(&self.gap.describe()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_stays_what_it_was() {
        let json = r#"{"id":"a-1","topic":"main","text":"x","event":"e","at":"2026","traceparent":"00-1"}"#;
        let message: Message = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&message).unwrap(), json);
    }

    #[test]
    fn nobody_who_publishes_commands_a_terminal() {
        let json = r#"{"id":"a-1","topic":"main","text":"\u001b[2Jx","event":"\u001b]0;t\u0007","at":"2026"}"#;
        let message: Message = serde_json::from_str(json).unwrap();
        let words = anstream::adapter::strip_str(&message.words()).to_string();
        assert_eq!(words, "2026 main [\\u{1b}]0;t\\u{7}] \\u{1b}[2Jx");
    }
}
