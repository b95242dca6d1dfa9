//! `bench storm`: many connect at once.

use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;

use crate::fanout::{Work, crowd};
use crate::load::{PATIENCE, Pace};
use crate::measure::figure::*;
use crate::measure::{Comparison, Protocol, Rounds, Sample, Subject};
use crate::process::Process;
use crate::target::Method;

/// Connect as fast as the server allows: connections per second, the time until each is answered, CPU per connection
///
/// A connection is answered when the head of its answer has come. A poll, which here is one that the server answers at
/// once, is answered when its whole answer has come.
#[derive(Debug, Args)]
pub struct Storm {
    /// The method by which clients connect
    #[arg(long, value_name = "METHOD")]
    method: Method,
    /// The number of connections
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// The number of connections in progress at the same time
    #[arg(long, value_name = "W", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    at_a_time: u32,
    #[command(flatten)]
    rounds: Rounds,
}

impl Storm {
    /// Runs the command.
    ///
    /// # Errors
    /// Fails when the measurement cannot be made.
    pub async fn run(self) -> anyhow::Result<bool> {
        let connections = self.connections as usize;
        let at_a_time = self.at_a_time as usize;
        let report = self
            .rounds
            .run(&Comparison {
                command: "storm",
                work: format!("{}, {connections} connections, {at_a_time} at a time", self.method.name()),
                protocols: vec![Protocol::Follow(self.method)],
                clients: connections,
                descriptors: connections,
                round: &|subject, _| round(connections, at_a_time, subject, self.method),
            })
            .await?;
        self.rounds.show(&report, &report.table())
    }
}

/// One round.
///
/// # Errors
/// Fails when a client cannot connect.
pub fn round(connections: usize, at_a_time: usize, subject: &Subject<'_>, method: Method) -> anyhow::Result<Sample> {
    ensure!(
        method != Method::Poll || subject.target.route(method)?.at_once.is_some(),
        "the description of {} has no at_once for polls",
        subject.target.name
    );
    let work = Work {
        subscribers: connections,
        pace: Pace::InFlight(1),
        messages: 0,
        length: None,
        bytes: 0,
        pattern: None,
        patience: PATIENCE,
    };
    let mut crowd = crowd(&work, subject, method, true)?;
    let this = Process::this();
    let cpu = (subject.process.cpu()?, this.cpu()?);
    let began = Instant::now();
    crowd.connect(at_a_time)?;
    let wall = began.elapsed();
    subject.settle(&mut crowd)?;
    let server = subject.process.cpu()?.saturating_sub(cpu.0);
    let generator = this.cpu()?.saturating_sub(cpu.1);

    let mut sample = Sample::default();
    let micros = |duration: Duration| duration.as_secs_f64() * 1e6;
    sample.add(&CONNECTS, connections as f64 / wall.as_secs_f64());
    sample.add(&CONNECT_P50, micros(crowd.connects.percentile(50)));
    sample.add(&CONNECT_P99, micros(crowd.connects.percentile(99)));
    sample.add(&CONNECT_MAX, micros(crowd.connects.max()));
    sample.add(&CPU_CONNECT, micros(server) / connections as f64);
    sample.add(&GENERATOR, 100.0 * generator.as_secs_f64() / wall.as_secs_f64());
    Ok(sample)
}
