//! The measurements of speed and memory.
//!
//! `comparison` is the work of a command, `peer` a server to be measured, `rounds` measures several of them in turn,
//! `figure` is one kind of number, `report` the results, for people and as JSON. A command fills in one round.

mod comparison;
pub(crate) mod figure;
mod peer;
mod report;
mod rounds;

pub(crate) use comparison::Comparison;
pub use figure::{Figure, Sample};
pub use peer::{Peer, Protocol, Subject};
pub use report::{Machine, Report, Row, Spread};
pub(crate) use rounds::Rounds;
