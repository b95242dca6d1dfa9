//! The work of a command.

use super::figure::Sample;
use super::peer::{Speech, Subject};

/// What is measured in each round.
pub(crate) struct Comparison<'a> {
    /// The command.
    pub(crate) command: &'static str,
    /// What it was told, in words.
    pub(crate) work: String,
    /// How it is spoken to, one after the other.
    pub(crate) speeches: Vec<Speech>,
    /// How many clients there are.
    pub(crate) clients: usize,
    /// How many descriptors this takes.
    pub(crate) descriptors: usize,
    /// One round.
    pub(crate) round: &'a dyn Fn(&Subject<'_>, Speech) -> anyhow::Result<Sample>,
}

impl std::fmt::Debug for Comparison<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Comparison").field("command", &self.command).finish_non_exhaustive()
    }
}
