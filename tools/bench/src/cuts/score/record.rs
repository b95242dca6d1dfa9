//! The record of one client.

use crate::cuts::events::Event;

/// The topic that a client followed, and what happened to it.
#[derive(Debug, Default)]
pub struct Record {
    /// The topic; `None` for all of them.
    pub topic: Option<usize>,
    /// The events, in the order in which they happened.
    pub events: Vec<Event>,
}
