//! The search for what was lost of patterns before they were followed.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, RwLock};

use super::loss::{Loss, Losses};
use super::pattern_group::PatternGroup;
use super::registry::Registry;

/// The work of one turn, so that nobody is kept waiting: topics that are looked at, and losses that are noted.
const TURN: usize = 1024;

/// The number of losses of one pattern that are kept as they were found.
const MOST_FOUND: usize = 64;

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
    /// The patterns that are done but for the topics that were dropped.
    done: Option<(Losses, Vec<Surveyed>)>,
}

struct Surveyed {
    group: Weak<PatternGroup>,
    found: Vec<Loss>,
}

impl Survey {
    /// Takes a turn, unless another client is taking one at the moment.
    pub(crate) fn advance(&self, registry: &RwLock<Registry>) {
        let registry = registry.read();
        let Some(mut round) = self.round.try_lock() else { return };
        if round.get_or_insert_with(|| Round::new(&registry)).advance(&registry) {
            *round = None;
        }
    }
}

impl Round {
    fn new(registry: &Registry) -> Self {
        let surveyed = |group: &Arc<PatternGroup>| Surveyed { group: Arc::downgrade(group), found: Vec::new() };
        let patterns = registry.unsurveyed().iter().map(|group| (group.number, surveyed(group))).collect();
        Self { index: usize::MAX, patterns, done: None }
    }

    /// Takes a turn. Returns whether it was the last.
    fn advance(&mut self, registry: &Registry) -> bool {
        if self.done.is_none() && !self.look_at_topics(registry) {
            return false;
        }
        // A topic that was dropped meanwhile is among the forgotten ones.
        let (forgotten, surveyed) = self.done.get_or_insert_with(|| {
            let surveyed = mem::take(&mut self.patterns).into_values().collect();
            (registry.forgotten(), surveyed)
        });
        let first = surveyed.len().saturating_sub(TURN / MOST_FOUND);
        for Surveyed { group, found } in surveyed.drain(first..) {
            if let Some(group) = group.upgrade() {
                group.set_past(found.into_iter().chain(forgotten.iter()));
            }
        }
        surveyed.is_empty()
    }

    /// Notes the losses of the next topics. Returns whether there are no more topics.
    fn look_at_topics(&mut self, registry: &Registry) -> bool {
        let mut noted = 0;
        for (looked_at, (index, topic)) in registry.topics_below(self.index).enumerate() {
            if looked_at + noted >= TURN {
                return false;
            }
            self.index = index;
            let losses = topic.losses();
            if losses.is_empty() {
                continue;
            }
            registry.for_each_group(&topic.topic, |group| {
                if let Some(surveyed) = self.patterns.get_mut(&group.number) {
                    noted += losses.len();
                    surveyed.add(&losses);
                }
            });
        }
        true
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
