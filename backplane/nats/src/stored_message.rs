//! A message as the stream stores it: its text is the payload, the rest is in headers. Any NATS client can publish one,
//! without any header.

use async_nats::jetstream::message::StreamMessage;
use async_nats::{HeaderMap, jetstream};

use shared::backplane::PublicationDigest;
use shared::cursor::{Cursor, Epoch};
use shared::message::{Draft, EventName, Message};
use shared::timestamp::Timestamp;
use shared::topic::{Topic, TopicFilter};
use shared::traceparent::Traceparent;

/// The part of a subject before the topic.
pub(crate) const PREFIX: &str = "push.";

/// The subject of all topics.
pub(crate) const ALL: &str = "push.>";

const EVENT: &str = "Push-Event";
/// The event name as JSON, for a name with white space around it, which no header keeps.
const EVENT_JSON: &str = "Push-Event-Json";
/// The time of publication in milliseconds since the Unix epoch, by the clock of the process that published.
const AT: &str = "Push-At";
/// The digest of the whole publication, on each message that was published under an idempotency key.
const DIGEST: &str = "Push-Digest";
/// The operation that published, by the name that other clients of NATS use too.
const TRACEPARENT: &str = "traceparent";

/// The time in milliseconds by which a publisher's clock may be ahead of the stream's and still be used. Memory evicts
/// by this time.
const MAX_AHEAD: u64 = 60_000;

/// The subject of a topic or a pattern. Wildcards are those of NATS.
pub(crate) fn subject(topic: &str) -> String {
    format!("{PREFIX}{topic}")
}

/// The topic of a subject, if the rest of it is a valid one.
pub(crate) fn topic(subject: &str) -> Option<Topic> {
    subject.strip_prefix(PREFIX).and_then(|topic| topic.parse().ok())
}

/// The subject of all topics that a filter names.
pub(crate) fn subject_of(filter: &TopicFilter) -> String {
    match filter {
        TopicFilter::Exact(topic) => subject(topic.as_str()),
        TopicFilter::Pattern(pattern) => subject(pattern.as_str()),
    }
}

/// The headers of a draft, which belongs to a publication with a digest if that has a key.
pub(crate) fn headers(
    draft: &Draft,
    at: Timestamp,
    digest: Option<&PublicationDigest>,
    traceparent: Option<Traceparent>,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(AT, at.as_millis().to_string());
    if let Some(digest) = digest {
        headers.insert(DIGEST, digest.as_str());
    }
    if let Some(traceparent) = traceparent {
        headers.insert(TRACEPARENT, traceparent.to_string());
    }
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

/// A message as it is stored under a sequence. It need not be a valid one, since any NATS client can publish.
#[derive(Clone, Copy)]
pub(crate) struct StoredMessage<'a> {
    pub(crate) sequence: u64,
    pub(crate) subject: &'a str,
    pub(crate) headers: Option<&'a HeaderMap>,
    pub(crate) payload: &'a [u8],
    /// The time at which the stream stored it, in nanoseconds since the Unix epoch.
    pub(crate) nanos: i128,
}

/// The reason why a stored message is not a message of a topic.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InvalidMessage {
    #[error("its subject is no topic")]
    Topic,
    #[error("its payload is not UTF-8")]
    Text,
    #[error("its Push-Event is no event name")]
    Event,
}

impl<'a> StoredMessage<'a> {
    /// The stored message that a consumer delivers. `None` if the server does not say where it is stored.
    pub(crate) fn delivered(message: &'a jetstream::Message) -> Option<Self> {
        let info = message.info().ok()?;
        Some(Self {
            sequence: info.stream_sequence,
            subject: &message.subject,
            headers: message.headers.as_ref(),
            payload: &message.payload,
            nanos: info.published.unix_timestamp_nanos(),
        })
    }

    /// The stored message that was read by its sequence.
    pub(crate) fn read(message: &'a StreamMessage) -> Self {
        Self {
            sequence: message.sequence,
            subject: &message.subject,
            headers: Some(&message.headers),
            payload: &message.payload,
            nanos: message.time.unix_timestamp_nanos(),
        }
    }

    /// Returns whether the message was stored by a publication with this digest. By the message alone, its topic and draft,
    /// if it has no digest: any NATS client can publish under an id.
    pub(crate) fn is_of(&self, digest: &PublicationDigest, topic: &Topic, draft: &Draft) -> bool {
        match self.headers.and_then(|headers| headers.get(DIGEST)) {
            Some(stored) => stored.as_str() == digest.as_str(),
            None => {
                self.subject == subject(topic.as_str())
                    && self.payload == draft.text.as_bytes()
                    && self.event().is_ok_and(|event| event == draft.event)
            }
        }
    }

    /// The message, as one of the history of an epoch.
    pub(crate) fn message(&self, epoch: Epoch) -> Result<Message, InvalidMessage> {
        Ok(Message {
            id: Cursor { epoch, offset: self.sequence },
            topic: topic(self.subject).ok_or(InvalidMessage::Topic)?,
            text: std::str::from_utf8(self.payload).map_err(|_| InvalidMessage::Text)?.into(),
            event: self.event()?,
            at: self.at(),
            traceparent: self.traceparent().map(Box::new),
        })
    }

    /// The operation that published the message. One that is not valid counts as none, as the standard asks for.
    fn traceparent(&self) -> Option<Traceparent> {
        self.headers?.get(TRACEPARENT)?.as_str().parse().ok()
    }

    fn event(&self) -> Result<Option<EventName>, InvalidMessage> {
        let header = |name| self.headers.and_then(|headers| headers.get(name)).map(|value| value.as_str());
        let event = match (header(EVENT_JSON), header(EVENT)) {
            (Some(json), _) => serde_json::from_str(json).map_err(|_| InvalidMessage::Event)?,
            (None, Some(name)) => EventName::try_from(name.to_owned()).map_err(|_| InvalidMessage::Event)?,
            (None, None) => return Ok(None),
        };
        Ok(Some(event))
    }

    /// The time of publication: by the publisher's clock where a header has it, else by the stream's.
    pub(crate) fn at(&self) -> Timestamp {
        let stored = u64::try_from(self.nanos / 1_000_000).unwrap_or_default();
        let claimed = self.headers.and_then(|headers| headers.get(AT)).and_then(|at| at.as_str().parse().ok());
        Timestamp::from_millis(claimed.filter(|claimed| *claimed <= stored + MAX_AHEAD).unwrap_or(stored))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored<'a>(subject: &'a str, payload: &'a [u8], headers: Option<&'a HeaderMap>) -> StoredMessage<'a> {
        StoredMessage { sequence: 7, subject, headers, payload, nanos: 1_000_000_000_000 }
    }

    const EPOCH: Epoch = Epoch::new(10);

    #[test]
    fn a_message_is_read_as_it_was_published() {
        for name in ["neu: schön", " ", "a ", "\u{3000}x"] {
            let event = EventName::try_from(name.to_owned()).unwrap();
            let draft = Draft { text: "Täxt\n".into(), event: Some(event.clone()) };
            let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap();
            let mut headers = headers(&draft, Timestamp::from_millis(999_123), None, Some(traceparent));
            // On the way, white space around a value is lost.
            headers = headers.iter().map(|(name, values)| (name.clone(), values[0].as_str().trim().into())).collect();
            let message = stored("push.orders.new", draft.text.as_bytes(), Some(&headers)).message(EPOCH).unwrap();
            assert_eq!((message.topic.as_str(), &*message.text, message.event), ("orders.new", "Täxt\n", Some(event)));
            assert_eq!((message.id.to_string(), message.at.as_millis()), ("a-7".to_owned(), 999_123));
            assert_eq!(message.traceparent.as_deref(), Some(&traceparent));
        }
    }

    #[test]
    fn any_nats_client_can_publish() {
        let message = stored("push.orders", b"x", None).message(EPOCH).unwrap();
        assert_eq!((message.event, message.at.as_millis()), (None, 1_000_000));
    }

    #[test]
    fn an_invalid_message_is_recognised_by_its_reason() {
        use InvalidMessage::{Event, Text, Topic};
        let long = "push.1.2.3.4.5.6.7.8.9";
        for (subject, payload, why) in [("push.a b", &b"x"[..], Topic), (long, b"x", Topic), ("push.a", b"\xff", Text)]
        {
            assert_eq!(stored(subject, payload, None).message(EPOCH).unwrap_err(), why);
        }
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", "no trace");
        assert_eq!(stored("push.a", b"x", Some(&headers)).message(EPOCH).unwrap().traceparent, None);
        headers.insert("Push-Event", "gap");
        assert_eq!(stored("push.a", b"x", Some(&headers)).message(EPOCH).unwrap_err(), Event);
    }

    #[test]
    fn a_stored_message_is_of_the_publication_with_its_digest() {
        let (topic, draft) =
            (Topic::default(), Draft { text: "x".into(), event: EventName::try_from("e".to_owned()).ok() });
        let digest = PublicationDigest::of(&topic, std::slice::from_ref(&draft));
        let at = Timestamp::from_millis(1);
        let is_of = |headers: &HeaderMap, digest: &PublicationDigest, draft: &Draft| {
            stored("push.main", b"x", Some(headers)).is_of(digest, &topic, draft)
        };
        let by_itself = headers(&draft, at, None, None);
        assert!(is_of(&by_itself, &digest, &draft));
        assert!(!is_of(&by_itself, &digest, &Draft::text("x")));
        let headers = headers(&draft, at, Some(&digest), None);
        assert!(is_of(&headers, &digest, &draft));
        let longer = PublicationDigest::of(&topic, &[draft.clone(), draft.clone()]);
        assert!(!is_of(&headers, &longer, &draft), "of an array that begins alike");
    }

    #[test]
    fn a_clock_that_is_ahead_does_not_count() {
        let draft = Draft::text("x");
        for (claimed, at) in [(1_060_000, 1_060_000), (1_060_001, 1_000_000), (0, 0)] {
            let headers = headers(&draft, Timestamp::from_millis(claimed), None, None);
            assert_eq!(stored("push.a", b"x", Some(&headers)).at().as_millis(), at);
        }
    }
}
