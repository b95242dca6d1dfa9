//! `bench storm`: many connect at once.

use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;

use crate::fanout::{Work, crowd};
use crate::load::{PATIENCE, Pace};
use crate::measure::figure::*;
use crate::measure::{Comparison, Rounds, Sample, Speech, Subject};
use crate::process::Process;
use crate::target::Method;

/// Connect as fast as the server lets one: connections a second, the time until each is answered, CPU a connection
///
/// A connection is answered when the head of its answer is there; a poll, which asks for what is answered at once, when its
/// answer is.
#[derive(Debug, Args)]
pub struct Storm {
    /// How clients connect
    #[arg(long, value_name = "METHOD")]
    method: Method,
    /// How many connect
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// How many are under way at the same time
    #[arg(long, value_name = "W", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    at_a_time: u32,
    #[command(flatten)]
    rounds: Rounds,
}

impl Storm {
    /// Runs the command.
    ///
    /// # Errors
    /// When the run could not be made.
    pub async fn run(self) -> anyhow::Result<bool> {
        let connections = self.connections as usize;
        let at_a_time = self.at_a_time as usize;
        let report = self
            .rounds
            .run(&Comparison {
                command: "storm",
                work: format!("{}, {connections} connections, {at_a_time} at a time", self.method.name()),
                speeches: vec![Speech::Follow(self.method)],
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
/// When somebody does not get in.
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
