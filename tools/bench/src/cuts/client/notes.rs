//! The memory of a client between two connections.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

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
    /// The end of the client's token, in microseconds of the clock. `None` where it needs none.
    allowed_until: Option<u64>,
}

impl Notes {
    pub(crate) fn new(route: &Route, run: u32, clock: Clock, progress: Arc<Progress>) -> Self {
        let positions = route.form == Form::Push;
        Self {
            events: Vec::new(),
            progress,
            clock,
            run,
            cursor: None,
            validators: None,
            positions,
            allowed_until: None,
        }
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

    /// Notes that a token is on its way by which messages may come for a time from now on.
    pub(super) fn allowed_for(&mut self, life: Duration) {
        self.allowed_until = Some(self.clock.now() + life.as_micros() as u64);
    }

    /// Notes that a token has ended in good order, or that another one has taken its place.
    pub(super) fn renewed(&self) {
        self.progress.renewed.fetch_add(1, Ordering::Relaxed);
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
            let at = self.clock.now();
            if let Some(until) = self.allowed_until.filter(|until| *until < at)
                && let Ok(mut after_token) = self.progress.after_token.lock()
            {
                after_token.push((number, until));
            }
            self.events.push(Event::Message { number, at });
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
