//! The time for which a client stays: its place among those who are counted, and its answers to questions about it.

use std::time::Duration;

use shared::hub::Subscriber;

use super::Client;
use crate::inquiry::{ClientId, Described, Slowness};
use crate::metrics::End;
use crate::traces::EndedStay;

impl Client {
    /// Begins to count the client among those who stay.
    pub(crate) fn begin_stay(&mut self) {
        self.end = None;
        self.stays_since = self.app.inquiries().number_stay(self.app.uptime_micros());
        // It has nothing to answer to a question from before.
        self.answered = self.app.inquiries().number();
        self.app.metrics().begin_stay();
    }

    /// Returns whether there is a question to all clients that this one has not answered.
    #[inline]
    pub(crate) fn is_asked(&self) -> bool {
        self.app.inquiries().number() != self.answered
    }

    /// Answers the question to all clients, with the client's cursor into the history if it has one. Returns whether this one is to end.
    pub(crate) fn answer_inquiry(&mut self, subscriber: Option<&Subscriber>) -> bool {
        self.answered = self.app.inquiries().number();
        let Some(inquiry) = self.app.inquiries().latest() else { return false };
        let slowness = Slowness {
            lag: subscriber.map_or(0, Subscriber::lag),
            stalled: self.output.stall().map_or(0, |stall| stall.lasted().as_secs()),
            age: self.stayed().as_secs(),
        };
        let is_to_end = inquiry.answer(ClientId(self.stays_since), slowness, || {
            let filters = subscriber.map(Subscriber::filters).unwrap_or_default();
            Described {
                address: self.address_text(),
                subject: self.subject().map(|subject| subject.to_string()),
                topics: filters.iter().map(ToString::to_string).collect(),
                cursor: subscriber.map(|subscriber| subscriber.cursor().to_string()),
            }
        });
        if is_to_end {
            self.set_end(End::Operator);
        }
        is_to_end
    }

    /// The time for which it has stayed.
    fn stayed(&self) -> Duration {
        Duration::from_micros(self.app.uptime_micros().saturating_sub(self.stays_since))
    }

    /// Counts the client no longer, for the reason that is known, or else for this one.
    pub(crate) fn end_stay(&mut self, otherwise: End) {
        if self.stays_since > 0 {
            let (end, stayed) = (self.end.unwrap_or(otherwise), self.stayed());
            self.app.metrics().end_stay(end, stayed);
            if let Some(traces) = self.app.traces() {
                traces.record_stay(EndedStay { parent: self.traceparent(), stayed, end }, self.in_spans());
            }
            self.stays_since = 0;
        }
    }

    /// Notes the reason why the client stays no longer, unless one is known already.
    pub fn set_end(&mut self, end: End) {
        self.end.get_or_insert(end);
    }
}
