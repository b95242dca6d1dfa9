//! The command line of `bench publish`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use super::candidate::Candidate;
use super::work::Work;
use crate::folder::ensure_on_disk;
use crate::load::MAX_TOPICS;
use crate::measure::{Machine, Report, Row};
use crate::target::Method;

/// Descriptors beside those of publishers.
const OTHER_DESCRIPTORS: u64 = 100;

/// Publish without subscribers: confirmed publications per second, and the time until a publication is confirmed
///
/// Each number of publications in flight is measured with each target in turn, on a server that was just started with an empty
/// history. Over HTTP, each publication in flight has a connection of its own, which is kept open. At the end the history is read:
/// it has to hold everything that was confirmed, once and in order. This repository's services keep all that is published, unless
/// flags of the history are given, such as `-- --history 1000`; then the history is not compared.
///
/// The history lies in the system's folder for temporary files, which has to be on a disk. The server CPU includes NATS.
///
/// Exit code 0: the histories hold everything. 1: not so. 2: it could not be measured.
#[derive(Debug, Args)]
pub struct Publish {
    /// A server: `memory`, `file`, `nats` (this repository's, with its history there, the file by --data), `nats-always` (NATS with
    /// `sync_interval: always`), `jetstream`, `jetstream-always` (NATS itself, over one connection), or the path of a
    /// description, see tools/bench/targets. May be repeated; ratios are to the first
    #[arg(long = "target", value_name = "TARGET", default_values = ["memory", "file"])]
    targets: Vec<String>,
    /// The numbers of publications in flight, one after the other
    #[arg(
        long,
        value_name = "W,…",
        value_delimiter = ',',
        default_values_t = [1, 32, 256],
        value_parser = clap::value_parser!(u16).range(1..1000)
    )]
    in_flight: Vec<u16>,
    /// The number of topics over which messages are spread
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_TOPICS))
    )]
    topics: u32,
    /// The length of a message
    #[arg(long, value_name = "B", default_value_t = 200, value_parser = clap::value_parser!(u32).range(30..))]
    bytes: u32,
    /// The length of each measurement
    #[arg(long, value_name = "S", default_value_t = 3.0, value_parser = crate::arguments::positive)]
    seconds: f64,
    /// The service of this repository, by its method: all publish in the same way
    #[arg(long, value_name = "METHOD", default_value = "sse")]
    method: Method,
    /// The number of rounds; medians are shown, with minimum and maximum
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Write all numbers as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Flags for this repository's services, such as `-- --history 1000`
    #[arg(last = true, value_name = "FLAG")]
    flags: Vec<String>,
}

impl Publish {
    /// Runs the command. Returns whether the histories hold everything that was confirmed.
    ///
    /// # Errors
    /// Fails when the measurement cannot be made.
    pub async fn run(self) -> anyhow::Result<bool> {
        let candidates = self.targets.iter().map(|name| Candidate::named(name)).collect::<anyhow::Result<Vec<_>>>()?;
        if candidates.iter().any(Candidate::needs_a_disk) {
            ensure_on_disk()?;
        }
        let most = self.in_flight.iter().copied().max().unwrap_or(1);
        rlimit::increase_nofile_limit(u64::from(most) + OTHER_DESCRIPTORS).context("the descriptor limit")?;
        let work = format!("{} bytes, topics: {}, {} s each", self.bytes, self.topics, self.seconds);
        println!("publish: {work}, {} rounds\n", self.rounds);
        let mut rows: Vec<_> = self
            .in_flight
            .iter()
            .flat_map(|&in_flight| candidates.iter().map(move |candidate| (candidate, in_flight)))
            .map(|(candidate, in_flight)| (candidate, in_flight, self.row(candidate, in_flight)))
            .collect();
        for _ in 0..self.rounds {
            for (candidate, in_flight, row) in &mut rows {
                let round = candidate.round(&self.work(*in_flight), self.method, &self.flags).await;
                let (version, sample) = round.with_context(|| format!("{}, {}", row.target, row.method))?;
                row.version = version;
                row.take(sample);
            }
        }
        let report = Report {
            bench: env!("CARGO_PKG_VERSION").to_owned(),
            command: "publish".to_owned(),
            work,
            clients: most.into(),
            arguments: std::env::args().skip(1).collect(),
            machine: Machine::this(),
            rounds: self.rounds,
            rows: rows.into_iter().map(|(_, _, row)| row).collect(),
        };
        report.show(&report.table(), self.json.as_deref())
    }

    fn work(&self, in_flight: u16) -> Work {
        Work {
            in_flight: in_flight.into(),
            topics: self.topics,
            bytes: self.bytes as usize,
            length: Duration::from_secs_f64(self.seconds),
        }
    }

    fn row(&self, candidate: &Candidate, in_flight: u16) -> Row {
        Row {
            target: candidate.name().to_owned(),
            version: String::new(),
            method: format!("{in_flight} in flight"),
            flags: self.flags.clone(),
            figures: Vec::new(),
            faults: Vec::new(),
        }
    }
}
