//! The messages that a subscriber has not read.

use std::collections::vec_deque;
use std::slice;
use std::sync::Arc;

use super::entry::Entry;
use super::matcher::Matcher;
use super::ring::Slot;

/// The messages that a subscriber has not read, in order of offset. One type serves all sources, so that the code that
/// reads them is neither compiled once per source nor uses dynamic dispatch.
pub(crate) enum Unread<'a> {
    /// Of one topic or pattern.
    Window(vec_deque::Iter<'a, Arc<Entry>>),
    /// Of several topics and patterns, from their windows.
    Merged(slice::Iter<'a, Arc<Entry>>),
    /// Of the ring, as far as the interests match them.
    Ring(vec_deque::Iter<'a, Slot>, &'a Matcher<'a>),
}

impl<'a> Iterator for Unread<'a> {
    type Item = &'a Arc<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Window(entries) => entries.next(),
            Self::Merged(entries) => entries.next(),
            Self::Ring(slots, matcher) => {
                slots.filter_map(|slot| slot.entry()).find(|entry| matcher.matches(&entry.message.topic))
            }
        }
    }
}
