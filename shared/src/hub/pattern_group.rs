//! The subscribers of one pattern.

use std::sync::{Arc, OnceLock};

use super::entry::Entry;
use super::loss::{Loss, Losses};
use super::shared_window::SharedWindow;
use super::slots::Slots;
use super::usage::Usage;
use crate::topic::Pattern;

/// The number of the newest messages that are found without searching the ring.
const WINDOW: usize = 64;

/// The cost of a pattern that is followed, in bytes: the group, its window, and its part of the maps.
const COST: usize = 2048;

/// The subscribers of one pattern, and all that they share. It holds no topics: the registry finds the groups of a topic.
pub(crate) struct PatternGroup {
    pub(crate) pattern: Pattern,
    /// No other group of the same history has this number, and it is not 0.
    pub(crate) number: u64,
    pub(crate) slots: Arc<Slots>,
    /// The newest messages that match, and the losses of all topics that match, since the pattern is followed.
    pub(crate) window: SharedWindow,
    /// The losses before that, once a survey has found them. None reaches further than `opened`.
    past: OnceLock<Losses>,
    opened: u64,
    usage: Arc<Usage>,
}

impl PatternGroup {
    /// A group whose empty window counts in the memory that the history uses. `opened` is the farthest offset of which there has been
    /// a message or a loss.
    pub(crate) fn new(pattern: Pattern, number: u64, window: SharedWindow, opened: u64, usage: Arc<Usage>) -> Self {
        usage.add(COST);
        Self { pattern, number, slots: Arc::default(), window, past: OnceLock::new(), opened, usage }
    }

    /// The losses before the pattern was followed, or `None` if no survey has looked for them.
    pub(crate) fn past(&self) -> Option<&Losses> {
        self.past.get()
    }

    /// Sets the losses before the pattern was followed, among which there may be later ones, which the window has.
    pub(crate) fn set_past(&self, losses: impl IntoIterator<Item = Loss>) {
        let before = |loss: Loss| Loss { through: loss.through.min(self.opened), ..loss };
        // It is set once, by the one survey that the group is part of.
        let _ = self.past.set(losses.into_iter().map(before).collect());
    }

    pub(crate) fn push(&self, entry: &Arc<Entry>) {
        self.window.push(Arc::clone(entry), WINDOW);
    }

    /// Drops a message of a matching topic, which is evicted.
    pub(crate) fn evict(&self, loss: Loss) {
        self.window.change(|window| window.evict(loss));
    }
}

impl Drop for PatternGroup {
    fn drop(&mut self) {
        self.usage.subtract(COST);
    }
}
