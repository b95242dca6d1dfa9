//! What the measurements of speed and memory have in common.
//!
//! `peer` is a server to be measured, `rounds` measures several of them in turn, `figure` is what is found, `report` shows
//! it and writes it down. A command fills in one round.

mod comparison;
pub(crate) mod figure;
mod peer;
mod report;
mod rounds;

pub(crate) use comparison::Comparison;
pub use figure::{Figure, Sample};
pub use peer::{Peer, Speech, Subject};
pub use report::{Machine, Report, Row, Spread};
pub(crate) use rounds::Rounds;
