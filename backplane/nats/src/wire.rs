//! A message as NATS carries it: its text as the payload, the rest in headers. Any NATS client can publish one, with no
//! header at all.

use async_nats::HeaderMap;

use shared::cursor::Cursor;
use shared::message::{Draft, EventName, Message};
use shared::timestamp::Timestamp;
use shared::topic::{Topic, TopicFilter};

/// Before the topic in a subject.
pub(super) const PREFIX: &str = "push.";

/// The subject of all topics.
pub(super) const ALL: &str = "push.>";

const EVENT: &str = "Push-Event";
/// The same as JSON, for a name with white space around it, which no header keeps.
const EVENT_JSON: &str = "Push-Event-Json";
/// In milliseconds since the Unix epoch, by the clock of the process that published.
const AT: &str = "Push-At";

/// How far ahead of the stream's clock a publisher's may be to count: memory is given up by the messages' age.
const AHEAD: u64 = 60_000;

/// The subject of a topic or of all that a filter names. Wildcards are those of NATS.
pub(super) fn subject(topic: &str) -> String {
    format!("{PREFIX}{topic}")
}

/// The topic of a subject, if it is one.
pub(super) fn topic(subject: &str) -> Option<Topic> {
    subject.strip_prefix(PREFIX).and_then(|topic| topic.parse().ok())
}

pub(super) fn subject_of(filter: &TopicFilter) -> String {
    match filter {
        TopicFilter::Exact(topic) => subject(topic.as_str()),
        TopicFilter::Pattern(pattern) => subject(pattern.as_str()),
    }
}

/// The headers of a draft.
pub(super) fn headers(draft: &Draft, at: Timestamp) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(AT, at.as_millis().to_string());
    if let Some(event) = &draft.event {
        let name = event.as_str();
        if name.trim() == name {
            headers.insert(EVENT, name);
        } else {
            headers.insert(EVENT_JSON, serde_json::Value::from(name).to_string());
        }
    }
    headers
}

/// What is stored under a sequence number.
pub(super) struct Stored<'a> {
    pub(super) subject: &'a str,
    pub(super) headers: Option<&'a HeaderMap>,
    pub(super) payload: &'a [u8],
    /// When the stream took it, in nanoseconds since the Unix epoch.
    pub(super) nanos: i128,
}

/// Why something stored is no message.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub(super) enum Foreign {
    #[error("its subject is no topic")]
    Topic,
    #[error("its payload is not UTF-8")]
    Text,
    #[error("its Push-Event is no event name")]
    Event,
}

impl Stored<'_> {
    pub(super) fn message(&self, id: Cursor) -> Result<Message, Foreign> {
        Ok(Message {
            id,
            topic: self.topic()?,
            text: std::str::from_utf8(self.payload).map_err(|_| Foreign::Text)?.into(),
            event: self.event()?,
            at: self.at(),
        })
    }

    fn event(&self) -> Result<Option<EventName>, Foreign> {
        let header = |name| self.headers.and_then(|headers| headers.get(name)).map(|value| value.as_str());
        let event = match (header(EVENT_JSON), header(EVENT)) {
            (Some(json), _) => serde_json::from_str(json).map_err(|_| Foreign::Event)?,
            (None, Some(name)) => EventName::try_from(name.to_owned()).map_err(|_| Foreign::Event)?,
            (None, None) => return Ok(None),
        };
        Ok(Some(event))
    }

    pub(super) fn topic(&self) -> Result<Topic, Foreign> {
        topic(self.subject).ok_or(Foreign::Topic)
    }

    /// When it was published: by the publisher's clock where it says so, else by the stream's.
    pub(super) fn at(&self) -> Timestamp {
        let stored = u64::try_from(self.nanos / 1_000_000).unwrap_or_default();
        let said = self.headers.and_then(|headers| headers.get(AT)).and_then(|at| at.as_str().parse().ok());
        Timestamp::from_millis(said.filter(|said| *said <= stored + AHEAD).unwrap_or(stored))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored<'a>(subject: &'a str, payload: &'a [u8], headers: Option<&'a HeaderMap>) -> Stored<'a> {
        Stored { subject, headers, payload, nanos: 1_000_000_000_000 }
    }

    #[test]
    fn a_message_comes_back_as_it_went() {
        for name in ["neu: schön", " ", "a ", "\u{3000}x"] {
            let event = EventName::try_from(name.to_owned()).unwrap();
            let draft = Draft { text: "Täxt\n".into(), event: Some(event.clone()) };
            let mut headers = headers(&draft, Timestamp::from_millis(999_123));
            // On the way, white space around a value is lost.
            headers = headers.iter().map(|(name, values)| (name.clone(), values[0].as_str().trim().into())).collect();
            let id = "a-7".parse().unwrap();
            let message = stored("push.orders.new", draft.text.as_bytes(), Some(&headers)).message(id).unwrap();
            assert_eq!((message.topic.as_str(), &*message.text, message.event), ("orders.new", "Täxt\n", Some(event)));
            assert_eq!((message.id, message.at.as_millis()), (id, 999_123));
        }
    }

    #[test]
    fn any_nats_client_can_publish() {
        let message = stored("push.orders", b"x", None).message("a-1".parse().unwrap()).unwrap();
        assert_eq!((message.event, message.at.as_millis()), (None, 1_000_000));
    }

    #[test]
    fn what_is_no_message_is_told_apart() {
        let id: Cursor = "a-1".parse().unwrap();
        let long = "push.1.2.3.4.5.6.7.8.9";
        for (subject, payload, why) in
            [("push.a b", &b"x"[..], Foreign::Topic), (long, b"x", Foreign::Topic), ("push.a", b"\xff", Foreign::Text)]
        {
            assert_eq!(stored(subject, payload, None).message(id).unwrap_err(), why);
        }
        let mut headers = HeaderMap::new();
        headers.insert("Push-Event", "gap");
        assert_eq!(stored("push.a", b"x", Some(&headers)).message(id).unwrap_err(), Foreign::Event);
    }

    #[test]
    fn a_clock_that_is_ahead_does_not_count() {
        let draft = Draft::text("x");
        for (said, at) in [(1_060_000, 1_060_000), (1_060_001, 1_000_000), (0, 0)] {
            let headers = headers(&draft, Timestamp::from_millis(said));
            assert_eq!(stored("push.a", b"x", Some(&headers)).at().as_millis(), at);
        }
    }
}
