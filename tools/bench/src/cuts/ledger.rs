//! The messages that were published, in the server's order. Clients are compared with it.

use std::collections::HashMap;

/// A cursor, split into its parts. Clients do not do this; only the judge has to know what lies between two cursors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The epoch of the history.
    pub epoch: Box<str>,
    /// The offset within it.
    pub offset: u64,
}

impl Cursor {
    /// Reads `<epoch>-<offset>`.
    pub fn parse(text: &str) -> Option<Self> {
        let (epoch, offset) = text.rsplit_once('-')?;
        Some(Self { epoch: epoch.into(), offset: offset.parse().ok()? })
    }
}

/// A message that the server accepted.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its number, unique in the run.
    pub number: u64,
    /// The index of its topic.
    pub topic: usize,
    /// The time at which it was sent, in microseconds of the run's clock.
    pub sent: u64,
    /// The time at which the server had answered.
    pub accepted: u64,
    /// Its cursor, if the server's answer has one.
    pub cursor: Option<Cursor>,
}

/// All messages that were published.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: Vec<Entry>,
    /// For each entry, the index of its epoch.
    epoch_of: Vec<usize>,
    /// The epochs, in the order in which they were first published in.
    epochs: Vec<Box<str>>,
    by_number: HashMap<u64, usize>,
    /// The numbers of messages that were sent and not answered: the server may have accepted them or not.
    uncertain: Vec<u64>,
}

impl Ledger {
    /// Sorts the entries into the server's order: by cursor, or by number where the server gives no cursors.
    pub fn new(mut entries: Vec<Entry>, uncertain: Vec<u64>) -> Self {
        entries.sort_by_key(|entry| (entry.accepted, entry.number));
        let mut epochs: Vec<Box<str>> = Vec::new();
        for cursor in entries.iter().filter_map(|entry| entry.cursor.as_ref()) {
            if !epochs.contains(&cursor.epoch) {
                epochs.push(cursor.epoch.clone());
            }
        }
        let epoch_index = |entry: &Entry| {
            let epoch = entry.cursor.as_ref().map(|cursor| &cursor.epoch);
            epoch.and_then(|epoch| epochs.iter().position(|known| known == epoch)).unwrap_or(0)
        };
        entries.sort_by_key(|entry| match &entry.cursor {
            Some(cursor) => (epoch_index(entry), cursor.offset),
            None => (0, entry.number),
        });
        let epoch_of = entries.iter().map(epoch_index).collect();
        let by_number = entries.iter().enumerate().map(|(index, entry)| (entry.number, index)).collect();
        Self { entries, epoch_of, epochs, by_number, uncertain }
    }

    /// The entries, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The index of a message.
    pub fn index_of(&self, number: u64) -> Option<usize> {
        self.by_number.get(&number).copied()
    }

    /// Returns the index of an entry's epoch.
    pub fn epoch_of(&self, index: usize) -> usize {
        self.epoch_of[index]
    }

    /// Returns the index of an epoch, if anything was published in it.
    pub fn epoch_named(&self, epoch: &str) -> Option<usize> {
        self.epochs.iter().position(|known| **known == *epoch)
    }

    /// The number of epochs.
    pub fn epoch_count(&self) -> usize {
        self.epochs.len()
    }

    /// The number of entries at or before a cursor; `None` if nothing was published in its epoch.
    pub fn reached_by(&self, cursor: &Cursor) -> Option<usize> {
        let epoch = self.epoch_named(&cursor.epoch)?;
        let place = (epoch, cursor.offset);
        let of = |index: usize| {
            let offset = self.entries[index].cursor.as_ref().map_or(0, |cursor| cursor.offset);
            (self.epoch_of[index], offset)
        };
        let (mut low, mut high) = (0, self.entries.len());
        while low < high {
            let middle = low.midpoint(high);
            if of(middle) <= place { low = middle + 1 } else { high = middle }
        }
        Some(low)
    }

    /// The number of entries before the end of an epoch.
    pub fn end_of(&self, epoch: usize) -> usize {
        self.epoch_of.partition_point(|&other| other <= epoch)
    }

    /// The numbers of messages that were not answered. It is not known whether clients should receive them.
    pub fn uncertain(&self) -> &[u64] {
        &self.uncertain
    }
}
