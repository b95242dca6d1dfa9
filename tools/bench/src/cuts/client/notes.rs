//! The memory of a client between two connections.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::cuts::events::{Clock, Event, Gap, Progress, number};
use crate::target::{Form, Route};

/// The client's position, and everything that happened to it.
#[derive(Debug)]
pub(crate) struct Notes {
    pub(crate) events: Vec<Event>,
    pub(super) progress: Arc<Progress>,
    pub(super) clock: Clock,
    run: u32,
    pub(super) cursor: Option<String>,
    pub(super) validators: Option<(String, String)>,
    /// The server gives a client its position before the first message.
    positions: bool,
}

impl Notes {
    pub(crate) fn new(route: &Route, run: u32, clock: Clock, progress: Arc<Progress>) -> Self {
        let positions = route.form == Form::Push;
        Self { events: Vec::new(), progress, clock, run, cursor: None, validators: None, positions }
    }

    /// Notes that a connection is established.
    pub(super) fn joined(&mut self, began: u64) {
        if self.events.iter().rev().any(|event| matches!(event, Event::Joined(_))) {
            self.progress.reconnects.fetch_add(1, Ordering::Relaxed);
        }
        self.events.push(Event::Joined(began));
        if !self.positions {
            self.progress.joined.store(true, Ordering::Relaxed);
        }
    }

    /// Notes the position that the server gave.
    pub(super) fn reached(&mut self, cursor: &str) {
        if self.cursor.is_none() && self.positions {
            self.events.push(Event::Position(cursor.into()));
            self.progress.joined.store(true, Ordering::Relaxed);
        }
        self.cursor = Some(cursor.to_owned());
    }

    pub(super) fn message(&mut self, text: &str) {
        // Messages of other runs are ignored.
        if let Some(number) = number(self.run, text) {
            self.events.push(Event::Message { number, at: self.clock.now() });
            self.progress.newest.fetch_max(number, Ordering::Relaxed);
            self.progress.received.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn gap(&mut self, gap: Gap) {
        self.events.push(Event::Gap(Box::new(gap)));
    }

    /// Notes why a connection ended. The client reconnects in any case; the reason is for whoever reads the report.
    pub(super) fn ended(&self, ended: anyhow::Result<()>) {
        if let Err(error) = ended
            && let Ok(mut failure) = self.progress.failure.lock()
        {
            *failure = format!("{error:#}");
        }
    }

    pub(super) fn lost(&mut self) {
        if matches!(self.events.last(), Some(event) if !matches!(event, Event::Lost(_))) {
            self.events.push(Event::Lost(self.clock.now()));
        }
    }
}
