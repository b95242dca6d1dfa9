//! The results, for people and for machines.

use std::fmt::Write;

use serde::Serialize;

use super::replicas::Shared;
use super::run::{Outcome, Tokens};
use super::storm::Storm;
use crate::stats::Percentiles;
use crate::target::Method;

/// The results and how they came about.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The version of this program.
    pub bench: &'static str,
    /// The server that was measured.
    pub server: String,
    /// Its version.
    pub server_version: String,
    /// The arguments of this program.
    pub arguments: Vec<String>,
    /// The flags that the server was started with.
    pub server_flags: Vec<String>,
    /// The seed of the injuries.
    pub seed: u64,
    /// The results.
    #[serde(flatten)]
    pub results: Results,
}

/// The results of one command.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Results {
    /// Runs with injuries, by method.
    Cuts(Vec<Outcome>),
    /// Storms, by method.
    Storms(Vec<Storm>),
    /// Runs without and with subscribers that never read.
    Stalled(Vec<Stalls>),
    /// A run over replicas.
    Replicas(Shared),
}

/// A method without and with subscribers that never read.
#[derive(Debug, Serialize)]
pub struct Stalls {
    /// Without them.
    pub without: Outcome,
    /// With them.
    pub with: Outcome,
}

impl Results {
    /// Returns whether the promise was kept in all runs.
    pub fn is_clean(&self) -> bool {
        match self {
            Self::Cuts(outcomes) => outcomes.iter().all(Outcome::is_clean),
            Self::Storms(storms) => storms.iter().all(Storm::is_clean),
            Self::Replicas(shared) => shared.is_clean(),
            Self::Stalled(stalls) => stalls.iter().all(|stalls| stalls.without.is_clean() && stalls.with.is_clean()),
        }
    }

    /// A table with a column for each method.
    pub fn table(&self) -> String {
        match self {
            Self::Cuts(outcomes) => {
                let mut table = Table::new(outcomes.iter().map(|outcome| outcome.method.name().to_owned()));
                table.outcomes(&outcomes.iter().collect::<Vec<_>>());
                table.text
            }
            Self::Storms(storms) => storm_table(storms),
            Self::Replicas(shared) => shared_table(shared),
            Self::Stalled(stalls) => {
                let outcomes: Vec<_> = stalls.iter().flat_map(|stalls| [&stalls.without, &stalls.with]).collect();
                let name = |(index, outcome): (usize, &&Outcome)| match index % 2 {
                    0 => format!("{} without", outcome.method.name()),
                    _ => format!("{} with", outcome.method.name()),
                };
                let mut table = Table::new(outcomes.iter().enumerate().map(name));
                table.outcomes(&outcomes);
                table.text
            }
        }
    }

    /// Examples of the faults, if there are any.
    pub fn examples(&self) -> Vec<(Method, &str)> {
        fn of(method: Method, examples: &[String]) -> impl Iterator<Item = (Method, &str)> {
            examples.iter().map(move |example| (method, example.as_str()))
        }
        let outcome = |outcome: &'_ Outcome| outcome.method;
        match self {
            Self::Cuts(all) => all.iter().flat_map(|one| of(outcome(one), &one.score.examples)).collect(),
            Self::Replicas(shared) => {
                shared.by_first_method.iter().flat_map(|one| of(outcome(one), &one.score.examples)).collect()
            }
            Self::Storms(all) => all
                .iter()
                .flat_map(|one| of(one.method, &one.cut.examples).chain(of(one.method, &one.stayed.examples)))
                .collect(),
            Self::Stalled(all) => {
                let both = all.iter().flat_map(|one| [&one.without, &one.with]);
                both.flat_map(|one| of(outcome(one), &one.score.examples)).collect()
            }
        }
    }
}

fn shared_table(shared: &Shared) -> String {
    let name = |outcome: &Outcome| match shared.switches {
        0 => outcome.method.name().to_owned(),
        _ => format!("{} first", outcome.method.name()),
    };
    let mut table = Table::new(shared.by_first_method.iter().map(name));
    table.outcomes(&shared.by_first_method.iter().collect::<Vec<_>>());
    let mut count = |name: &str, count: u64| table.row(name, std::iter::once(count));
    count("replicas, of all services", shared.replicas as u64);
    count("  restarted", shared.replica_restarts.into());
    count("  killed", shared.killed.into());
    count("NATS killed", shared.nats_restarts.into());
    count("changed the method", shared.switches);
    count("publishing refused, and repeated", shared.trouble.refused);
    count("  without an answer, and repeated", shared.trouble.unanswered);
    count("  of which had been accepted before", shared.trouble.known);
    if let Some(stored) = &shared.stored {
        count("stored after a last kill, of all", stored.messages);
        count("  confirmed and missing", stored.missing);
        count("  repeated", stored.repeated);
        count("  under another cursor", stored.misplaced);
    }
    let whole = if shared.long_history { "long enough" } else { "may be too short" };
    table.row("history", std::iter::once(whole));
    table.row("verdict on all", std::iter::once(verdict(shared.is_clean())));
    table.text
}

fn storm_table(storms: &[Storm]) -> String {
    let mut table = Table::new(storms.iter().map(|storm| storm.method.name().to_owned()));
    table.row("clients cut at once", storms.iter().map(|storm| storm.cut.clients));
    let all_back = |storm: &Storm| storm.all_back.map_or_else(|| "never".to_owned(), time);
    table.row("all back with everything", storms.iter().map(all_back));
    times(&mut table, "a client back", storms.iter().map(|storm| storm.back));
    times(&mut table, "delay to those who stayed, before", storms.iter().map(|storm| storm.delay_before));
    times(&mut table, "delay to those who stayed, meanwhile", storms.iter().map(|storm| storm.delay_during));
    let both = |count: fn(&crate::cuts::score::Score) -> u64| {
        storms.iter().map(move |storm| count(&storm.cut) + count(&storm.stayed))
    };
    table.row("messages due", both(|score| score.expected));
    table.row("  received", both(|score| score.received));
    table.row("  missing, unreported", both(|score| score.missing));
    table.row("twice", both(|score| score.twice));
    table.row("out of order", both(|score| score.out_of_order));
    table.row("clients that never caught up", both(|score| score.never_caught_up));
    table.row("verdict", storms.iter().map(|storm| verdict(storm.is_clean())));
    table.text
}

struct Table {
    text: String,
}

impl Table {
    fn new(columns: impl Iterator<Item = String>) -> Self {
        let mut table = Self { text: String::new() };
        table.row("", columns);
        table
    }

    fn row(&mut self, name: &str, cells: impl Iterator<Item = impl ToString>) {
        // Writing to a string cannot fail.
        let _ = write!(self.text, "{name:<38}");
        for cell in cells {
            let _ = write!(self.text, " {:>14}", cell.to_string());
        }
        self.text.push('\n');
    }

    fn outcomes(&mut self, outcomes: &[&Outcome]) {
        let mut count = |name: &str, count: fn(&Outcome) -> u64| {
            self.row(name, outcomes.iter().map(|outcome| count(outcome)));
        };
        count("clients", |one| one.score.clients);
        count("messages published", |one| one.score.published);
        count("  without an answer", |one| one.score.uncertain);
        count("injuries", |one| one.injuries.total());
        count("  closed (FIN)", |one| one.injuries.closed);
        count("  reset (RST)", |one| one.injuries.reset);
        count("  black holes", |one| one.injuries.black_holes);
        count("  throttled", |one| one.injuries.throttled);
        count("  of these, after a random byte", |one| one.injuries.within_a_frame);
        count("reconnects", |one| one.score.reconnects);
        count("messages due", |one| one.score.expected);
        count("  received", |one| one.score.received);
        count("  lost, reported by a gap", |one| one.score.lost_reported);
        count("  missing, unreported", |one| one.score.missing);
        count("twice", |one| one.score.twice);
        count("out of order", |one| one.score.out_of_order);
        count("astray", |one| one.score.astray);
        count("clients that never caught up", |one| one.score.never_caught_up);
        for reason in ["expired", "lagged", "epoch"] {
            let gaps = |outcome: &&Outcome| outcome.score.gaps.get(reason).copied().unwrap_or(0);
            self.row(&format!("gaps: {reason}"), outcomes.iter().map(gaps));
        }
        if outcomes.iter().any(|outcome| outcome.tokens.is_some()) {
            let of = |count: fn(&Tokens) -> u64| move |one: &&Outcome| one.tokens.as_ref().map_or(0, count);
            self.row("tokens renewed", outcomes.iter().map(of(|tokens| tokens.renewed)));
            let millis = |tokens: &Tokens| tokens.longest_after.div_ceil(1000);
            self.row("latest message published after the end of a token, ms", outcomes.iter().map(of(millis)));
        }
        if outcomes.iter().any(|outcome| outcome.restarts > 0) {
            self.restarts(outcomes);
        }
        times(self, "back until caught up", outcomes.iter().map(|outcome| outcome.score.catch_up));
        times(self, "delay, all messages", outcomes.iter().map(|outcome| outcome.score.delay));
        times(self, "delay, sent while connected", outcomes.iter().map(|outcome| outcome.score.delay_connected));
        self.row("verdict", outcomes.iter().map(|outcome| verdict(outcome.is_clean())));
    }

    fn restarts(&mut self, outcomes: &[&Outcome]) {
        let reported = |outcome: &&Outcome| {
            let reported = outcome.score.epochs_passed - outcome.score.epochs_unreported;
            format!("{reported}/{}", outcome.restarts * outcome.score.clients)
        };
        self.row("restarts", outcomes.iter().map(|outcome| outcome.restarts));
        self.row("  reported to clients", outcomes.iter().map(reported));
        self.row("  reported again", outcomes.iter().map(|outcome| outcome.score.epochs_repeated));
    }
}

fn times(table: &mut Table, name: &str, columns: impl Iterator<Item = Percentiles> + Clone) {
    let cell = |value: fn(&Percentiles) -> u64| {
        move |column: Percentiles| if column.count == 0 { "-".to_owned() } else { time(value(&column)) }
    };
    table.row(&format!("{name}: p50"), columns.clone().map(cell(|column| column.p50)));
    table.row("  p99", columns.clone().map(cell(|column| column.p99)));
    table.row("  max", columns.map(cell(|column| column.max)));
}

fn verdict(clean: bool) -> &'static str {
    if clean { "ok" } else { "FAILED" }
}

/// Microseconds in a readable unit.
fn time(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} us"),
        1_000..1_000_000 => format!("{:.1} ms", micros as f64 / 1e3),
        _ => format!("{:.2} s", micros as f64 / 1e6),
    }
}
