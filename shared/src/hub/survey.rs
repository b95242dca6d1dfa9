//! The search for what was lost of patterns before they were followed.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use super::loss::{Loss, Losses};
use super::pattern_group::PatternGroup;
use super::registry::Registry;

/// The number of topics that are compared under one lock, so that nobody is kept waiting.
const SLICE: usize = 512;

/// The number of losses of one pattern that are kept as they were found.
const MOST_FOUND: usize = 4096;

/// The search for what was lost of patterns before they were followed. Only a client that comes back with a cursor needs
/// to know that. One round serves all patterns for which it is not known, and all clients that wait take turns in it.
#[derive(Default)]
pub(crate) struct Survey {
    round: Mutex<Option<Round>>,
}

/// One search through all topics.
struct Round {
    /// The topics with a lower index are still to come.
    index: usize,
    /// The patterns by the numbers of their groups.
    patterns: HashMap<u64, Surveyed>,
}

struct Surveyed {
    group: Arc<PatternGroup>,
    found: Vec<Loss>,
}

impl Survey {
    /// Takes a turn: compares some topics, unless another client is doing that at the moment.
    pub(crate) fn advance(&self, registry: &RwLock<Registry>) {
        let registry = registry.read();
        let Some(mut round) = self.round.try_lock() else { return };
        if round.get_or_insert_with(|| Round::new(&registry)).advance(&registry)
            && let Some(round) = round.take()
        {
            round.finish(&registry);
        }
    }
}

impl Round {
    fn new(registry: &Registry) -> Self {
        let groups = registry.unsurveyed().into_iter();
        let patterns = groups.map(|group| (group.number, Surveyed { group, found: Vec::new() })).collect();
        Self { index: usize::MAX, patterns }
    }

    /// Compares the next topics. Returns whether they were the last.
    fn advance(&mut self, registry: &Registry) -> bool {
        let (topics, left) = registry.topics_below(self.index, SLICE);
        for topic in topics {
            let losses = topic.losses();
            if losses.is_empty() {
                continue;
            }
            registry.for_each_group(&topic.topic, |group| {
                if let Some(surveyed) = self.patterns.get_mut(&group.number) {
                    surveyed.add(&losses);
                }
            });
        }
        self.index = left;
        left == 0
    }

    /// Sets what was found. A topic that was dropped meanwhile is among the forgotten ones.
    fn finish(self, registry: &Registry) {
        let forgotten = registry.forgotten();
        for Surveyed { group, found } in self.patterns.into_values() {
            group.set_past(found.into_iter().chain(forgotten.iter()).collect());
        }
    }
}

impl Surveyed {
    fn add(&mut self, losses: &[Loss]) {
        self.found.extend(losses);
        if self.found.len() > MOST_FOUND {
            self.found = mem::take(&mut self.found).into_iter().collect::<Losses>().iter().collect();
        }
    }
}
