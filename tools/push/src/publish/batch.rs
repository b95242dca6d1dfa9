//! Messages that are sent in one request.

use serde::Serialize;

/// The most messages in an array: the default of `--max-array`.
const MESSAGES: usize = 1000;

/// The length of an array's JSON from which on nothing is added, so that it is under the default of `--max-body-bytes` with the
/// longest message.
const BYTES: usize = 512 * 1024;

/// A message as it is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Draft {
    pub(super) text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) event: Option<String>,
}

/// Lines that follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    /// The number of the first line, from 1.
    pub(super) first: u64,
    pub(super) drafts: Vec<Draft>,
    bytes: usize,
}

impl Batch {
    pub(super) fn new(first: u64) -> Self {
        Self { first, drafts: Vec::new(), bytes: 0 }
    }

    /// Returns the number of the last line.
    pub(super) fn last(&self) -> u64 {
        (self.first + self.drafts.len() as u64).saturating_sub(1)
    }

    /// Adds the next line.
    pub(super) fn push(&mut self, draft: Draft) {
        // At most 6 bytes for a character that is escaped, and some for names and quotes.
        let escaped = draft.text.bytes().filter(|byte| *byte < b' ' || matches!(byte, b'"' | b'\\')).count();
        self.bytes += draft.text.len() + 5 * escaped + draft.event.as_ref().map_or(0, String::len) + 32;
        self.drafts.push(draft);
    }

    /// Returns whether no further line may be added, with at most so many in an array.
    pub(super) fn is_full(&self, most: usize) -> bool {
        self.drafts.len() >= most.min(MESSAGES) || self.bytes >= BYTES
    }

    /// Returns both halves. There are at least two lines.
    pub(super) fn halves(mut self) -> [Self; 2] {
        let later = self.drafts.split_off(self.drafts.len() / 2);
        let mut halves = [Self::new(self.first), Self::new(self.first + self.drafts.len() as u64)];
        for (half, drafts) in halves.iter_mut().zip([self.drafts, later]) {
            drafts.into_iter().for_each(|draft| half.push(draft));
        }
        halves
    }

    /// Returns the key of this batch, made of the key of the command.
    pub(super) fn key(&self, key: &str) -> String {
        format!("{key}.{}-{}", self.first, self.last())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(lines: u64) -> Batch {
        let mut batch = Batch::new(11);
        (0..lines).for_each(|line| batch.push(Draft { text: line.to_string(), event: None }));
        batch
    }

    #[test]
    fn halves_are_the_whole_in_order() {
        let [early, late] = batch(5).halves();
        assert_eq!((early.first, early.last(), late.first, late.last()), (11, 12, 13, 15));
        assert_eq!([early.drafts, late.drafts].concat(), batch(5).drafts);
    }

    #[test]
    fn a_batch_is_full_by_number_and_by_length() {
        assert!(!batch(999).is_full(usize::MAX) && batch(1000).is_full(usize::MAX) && batch(3).is_full(3));
        let mut long = Batch::new(1);
        while !long.is_full(usize::MAX) {
            long.push(Draft { text: "\u{1}".repeat(64 * 1024), event: None });
        }
        let bytes = serde_json::to_vec(&long.drafts).unwrap().len();
        assert!((BYTES..1024 * 1024).contains(&bytes), "{bytes}");
    }

    #[test]
    fn keys_differ_by_their_lines() {
        assert_eq!(batch(5).key("k"), "k.11-15");
    }
}
