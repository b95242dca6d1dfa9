//! The work of a command.

use super::figure::Sample;
use super::peer::{Protocol, Subject};

/// The work of a command, which each round repeats.
pub(crate) struct Comparison<'a> {
    /// The command.
    pub(crate) command: &'static str,
    /// The work, in words.
    pub(crate) work: String,
    /// The protocols, one after the other.
    pub(crate) protocols: Vec<Protocol>,
    /// The number of clients.
    pub(crate) clients: usize,
    /// The number of descriptors that this takes.
    pub(crate) descriptors: usize,
    /// Measures one round.
    pub(crate) round: &'a dyn Fn(&Subject<'_>, Protocol) -> anyhow::Result<Sample>,
}

impl std::fmt::Debug for Comparison<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Comparison").field("command", &self.command).finish_non_exhaustive()
    }
}
