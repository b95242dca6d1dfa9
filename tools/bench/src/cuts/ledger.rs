//! What was published, in the order in which the server took it: what clients are measured against.

use std::collections::HashMap;

/// A place in a server's history, taken apart. Clients do not do this; only the judge has to know what lies between two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Which history.
    pub epoch: Box<str>,
    /// Where in it.
    pub offset: u64,
}

impl Cursor {
    /// Reads `<epoch>-<offset>`.
    pub fn parse(text: &str) -> Option<Self> {
        let (epoch, offset) = text.rsplit_once('-')?;
        Some(Self { epoch: epoch.into(), offset: offset.parse().ok()? })
    }
}

/// A message that the server took.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Unique in the run.
    pub number: u64,
    /// Which of the run's topics.
    pub topic: usize,
    /// When it was sent, in microseconds of the run's clock.
    pub sent: u64,
    /// When the server had answered.
    pub accepted: u64,
    /// Its place, if the server tells it.
    pub cursor: Option<Cursor>,
}

/// Everything that was published.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: Vec<Entry>,
    /// Of each entry, which epoch it belongs to.
    epoch_of: Vec<usize>,
    /// In the order in which they were first published in.
    epochs: Vec<Box<str>>,
    by_number: HashMap<u64, usize>,
    /// Sent without an answer: they may have been taken or not.
    uncertain: Vec<u64>,
}

impl Ledger {
    /// Puts the entries in the server's order: that of their places, or of their numbers where it tells no places.
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

    /// Which epoch an entry belongs to, counted from 0.
    pub fn epoch_of(&self, index: usize) -> usize {
        self.epoch_of[index]
    }

    /// Which epoch this is, if anything was published in it.
    pub fn epoch_named(&self, epoch: &str) -> Option<usize> {
        self.epochs.iter().position(|known| **known == *epoch)
    }

    /// How many histories there were.
    pub fn epoch_count(&self) -> usize {
        self.epochs.len()
    }

    /// How many entries lie at or before a cursor; `None` if nothing was published in its epoch.
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

    /// How many entries lie before the end of an epoch.
    pub fn end_of(&self, epoch: usize) -> usize {
        self.epoch_of.partition_point(|&other| other <= epoch)
    }

    /// How many were sent without an answer. It is not known whether they should have arrived.
    pub fn uncertain(&self) -> &[u64] {
        &self.uncertain
    }
}
