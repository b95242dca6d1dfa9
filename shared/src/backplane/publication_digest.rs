//! The digest of a publication.

use sha2::{Digest, Sha256};

use crate::message::{Draft, EventName};
use crate::topic::Topic;

/// The digest of a publication's topic and messages, by which a repeat is distinguished from another publication under the
/// same key. The same on every process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicationDigest(String);

impl PublicationDigest {
    /// The digest of messages on a topic.
    pub fn of(topic: &Topic, drafts: &[Draft]) -> Self {
        let events = drafts.iter().map(|draft| draft.event.as_ref().map(EventName::as_str));
        let parts = drafts.iter().zip(events).flat_map(|(draft, event)| [Some(&*draft.text), event]);
        let mut hasher = Sha256::new();
        for part in [Some(topic.as_str())].into_iter().chain(parts) {
            // With its length, so that no two publications are the same bytes. No text is as long as `MAX`.
            hasher.update(part.map_or(u64::MAX, |part| part.len() as u64).to_be_bytes());
            hasher.update(part.unwrap_or_default());
        }
        Self(hasher.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The digest as text, in hexadecimal.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publications_that_differ_have_different_digests() {
        let event = |name: &str| EventName::try_from(name.to_owned()).ok();
        let draft = |text: &str, name: &str| Draft { text: text.into(), event: event(name) };
        let publications = [
            ("a", vec![draft("x", "")]),
            ("b", vec![draft("x", "")]),
            ("a", vec![draft("xa", "")]),
            ("a", vec![draft("x", "a")]),
            ("a", vec![draft("x", ""), draft("", "")]),
            ("a", vec![draft("x", ""), draft("a", "")]),
            ("a", vec![draft("", ""), draft("x", "")]),
        ];
        let digests: Vec<String> = publications
            .iter()
            .map(|(topic, drafts)| PublicationDigest::of(&topic.parse().unwrap(), drafts).0)
            .collect();
        let distinct: std::collections::HashSet<_> = digests.iter().collect();
        assert_eq!(distinct.len(), digests.len(), "{digests:?}");
        assert_eq!(digests[0], "bd1b41db93d2ed611ccb30e2986620b8", "other replicas have to come to the same");
    }
}
