//! Judges one client after the other.

use std::collections::HashSet;

use super::record::Record;
use super::totals::{Score, Times};
use crate::cuts::events::{Event, Gap};
use crate::cuts::ledger::{Cursor, Entry, Ledger};
use crate::stats::Percentiles;

impl Score {
    /// Judges clients.
    pub fn of(ledger: &Ledger, clients: &[Record]) -> Self {
        let mut score = Self {
            clients: clients.len() as u64,
            published: ledger.entries().len() as u64,
            uncertain: ledger.uncertain().len() as u64,
            ..Self::default()
        };
        let mut times = Times::default();
        for (client, record) in clients.iter().enumerate() {
            Judge::new(ledger, record, client).judge(&mut score, &mut times);
        }
        score.catch_up = Percentiles::of(times.catch_up);
        score.delay = Percentiles::of(times.delay);
        score.delay_connected = Percentiles::of(times.delay_connected);
        score
    }
}

/// The fate of an entry that the client should receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Pending,
    Received,
    LostReported,
    Missing,
}

/// Judges one client by its events.
struct Judge<'a> {
    ledger: &'a Ledger,
    events: &'a [Event],
    client: usize,
    /// The entries of the client's topics, as indices into the ledger.
    due: Vec<usize>,
    fates: Vec<Fate>,
    /// The number of entries of `due` before the client's first position, which do not count.
    start: usize,
    /// The number of entries of `due` that the client has passed: what it receives next has to come after them.
    reach: usize,
    /// The index of the epoch that the client is in.
    epoch: usize,
    /// Numbers that are not in the ledger and have been received.
    unlisted: HashSet<u64>,
}

impl<'a> Judge<'a> {
    fn new(ledger: &'a Ledger, record: &'a Record, client: usize) -> Self {
        let of_the_client = |entry: &Entry| record.topic.is_none_or(|topic| topic == entry.topic);
        let entries = ledger.entries().iter().enumerate();
        let due: Vec<usize> = entries.filter(|(_, entry)| of_the_client(entry)).map(|(index, _)| index).collect();
        let first = record.events.iter().find_map(|event| match event {
            Event::Position(cursor) => Cursor::parse(cursor),
            _ => None,
        });
        // If the server gives no positions, all clients were connected before the first message.
        let start = first.as_ref().and_then(|cursor| ledger.reached_by(cursor)).unwrap_or(0);
        let epoch = first.and_then(|cursor| ledger.epoch_named(&cursor.epoch)).unwrap_or(0);
        let start = due.partition_point(|&index| index < start);
        Self {
            ledger,
            events: &record.events,
            client,
            fates: vec![Fate::Pending; due.len()],
            due,
            start,
            reach: start,
            epoch,
            unlisted: HashSet::new(),
        }
    }

    fn judge(mut self, score: &mut Score, times: &mut Times) {
        let mut joined: Option<u64> = None;
        // The number of entries to be reached, and the time from which it counts.
        let mut behind: Option<(usize, u64)> = None;
        for event in self.events {
            let mut now = None;
            match event {
                Event::Joined(began) => {
                    if joined.is_some() {
                        score.reconnects += 1;
                    }
                    joined = Some(*began);
                    let target = self.published_before(*began);
                    behind = (target > self.reach).then_some((target, *began));
                }
                Event::Lost(_) => behind = None,
                Event::Message { number, at } => {
                    now = Some(*at);
                    if let Some(sent) = self.message(*number, score) {
                        let delay = at.saturating_sub(sent);
                        times.delay.push(delay);
                        if joined.is_some_and(|joined| sent >= joined) {
                            times.delay_connected.push(delay);
                        }
                    }
                }
                Event::Gap(gap) => self.gap(gap, score),
                Event::Position(_) => {}
            }
            if let (Some((target, since)), Some(now)) = (behind, now)
                && self.reach >= target
            {
                times.catch_up.push(now.saturating_sub(since));
                behind = None;
            }
        }
        self.finish(score);
    }

    /// The number of entries of `due` that the server had accepted before this time.
    fn published_before(&self, time: u64) -> usize {
        // Publications overlap little, so the order of answers is as good as that of cursors.
        self.due.partition_point(|&index| self.ledger.entries()[index].accepted < time)
    }

    /// Returns the time at which the message was sent, if it was due and is new.
    fn message(&mut self, number: u64, score: &mut Score) -> Option<u64> {
        let client = self.client;
        let Some(index) = self.ledger.index_of(number) else {
            if !self.unlisted.insert(number) {
                score.twice += 1;
                score.example(|| format!("client {client}: message {number} arrived twice"));
            }
            return None;
        };
        let place = self.due.binary_search(&index).ok().filter(|&place| place >= self.start);
        let Some(place) = place else {
            score.astray += 1;
            score.example(|| format!("client {client}: message {number} is not for it"));
            return None;
        };
        if self.fates[place] == Fate::Received {
            score.twice += 1;
            score.example(|| format!("client {client}: message {number} arrived twice"));
            return None;
        }
        if place < self.reach {
            score.out_of_order += 1;
            score.example(|| format!("client {client}: message {number} arrived after a later one"));
        } else {
            self.pass(place, Fate::Missing);
            self.reach = place + 1;
            let epoch = self.ledger.epoch_of(index);
            if epoch > self.epoch {
                score.epochs_passed += 1;
                score.epochs_unreported += 1;
                score.example(|| format!("client {client}: message {number} is of another epoch, unreported"));
                self.epoch = epoch;
            }
        }
        self.fates[place] = Fate::Received;
        Some(self.ledger.entries()[index].sent)
    }

    /// A gap covers what lies in `(since, cursor]`, as far as the client had not passed it before.
    fn gap(&mut self, gap: &Gap, score: &mut Score) {
        *score.gaps.entry(gap.reason.to_string()).or_default() += 1;
        let (Some(since), Some(cursor)) = (Cursor::parse(&gap.since), Cursor::parse(&gap.cursor)) else {
            let client = self.client;
            score.example(|| format!("client {client}: a gap without cursors: {gap:?}"));
            return;
        };
        let from = self.ledger.reached_by(&since);
        let to = match self.ledger.reached_by(&cursor) {
            Some(to) => to,
            // Nothing was published in the new epoch: the old one is over, and nothing is known to come after it.
            None => self.ledger.epoch_named(&since.epoch).map_or(0, |epoch| self.ledger.end_of(epoch)),
        };
        if since.epoch != cursor.epoch {
            self.pass_epoch(gap, &since, &cursor, score);
        }
        let place = |index: usize| self.due.partition_point(|&due| due < index);
        let (from, to) = (from.map_or(self.reach, place), place(to));
        // The gap does not cover what the client should have received before it.
        self.pass(from, Fate::Missing);
        self.reach = self.reach.max(from);
        self.pass(to, Fate::LostReported);
        self.reach = self.reach.max(to);
    }

    fn pass_epoch(&mut self, gap: &Gap, since: &Cursor, cursor: &Cursor, score: &mut Score) {
        let before = self.ledger.epoch_named(&since.epoch);
        let Some(after) = self.ledger.epoch_named(&cursor.epoch) else { return };
        if before.is_some_and(|before| before < self.epoch) || after <= self.epoch {
            score.epochs_repeated += 1;
            let client = self.client;
            score.example(|| format!("client {client}: the same change of epoch was reported again: {gap:?}"));
            return;
        }
        score.epochs_passed += (after - self.epoch) as u64;
        self.epoch = after;
    }

    /// Decides on every entry that is still pending before a place.
    fn pass(&mut self, to: usize, fate: Fate) {
        for pending in self.fates.iter_mut().take(to).skip(self.reach) {
            if *pending == Fate::Pending {
                *pending = fate;
            }
        }
    }

    fn finish(mut self, score: &mut Score) {
        let last = self.due.len();
        if self.start < last && self.reach < last {
            score.never_caught_up += 1;
            let (client, reach) = (self.client, self.reach - self.start);
            score.example(|| format!("client {client}: came to {reach} of {}", last - self.start));
        }
        self.pass(last, Fate::Missing);
        let fates = &self.fates[self.start..];
        let count = |fate: Fate| fates.iter().filter(|&&other| other == fate).count() as u64;
        score.expected += fates.len() as u64;
        score.received += count(Fate::Received);
        score.lost_reported += count(Fate::LostReported);
        score.missing += count(Fate::Missing);
        self.describe_missing(score);
    }

    fn describe_missing(&self, score: &mut Score) {
        let missing = |place: &usize| self.fates[*place] == Fate::Missing;
        let Some(first) = (self.start..self.due.len()).find(missing) else { return };
        let length = (first..self.due.len()).take_while(missing).count();
        let number = self.ledger.entries()[self.due[first]].number;
        let client = self.client;
        score.example(|| format!("client {client}: {length} missing in a row from message {number} on, unreported"));
    }
}
