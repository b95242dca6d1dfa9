//! `bench idle`: memory per connection.

use std::time::Duration;

use clap::Args;

use crate::fanout::{AT_A_TIME, Work, crowd, lost};
use crate::load::{Crowd, PATIENCE, Pace};
use crate::measure::figure::*;
use crate::measure::{Comparison, Protocol, Rounds, Sample, Subject};
use crate::process::Memory;
use crate::target::Method;

/// The number of connections, and of messages to each, before the measurement begins. What a server takes once and not
/// for each connection, such as the pages of its code, the buffers of its threads and the first blocks of its allocator,
/// it takes for them.
const WARM_UP: (usize, u64) = (64, 3);

/// Memory of a server per connection: idle, and after each has been sent a message
///
/// The server's memory with N connections minus its memory before, divided by N: once all are connected, and again after each
/// has been sent one message. The memory before includes 64 other connections, which stay open, so that it includes what a
/// server takes only once. Memory that the kernel holds for sockets does not count.
#[derive(Debug, Args)]
pub struct Idle {
    /// The method by which clients connect
    #[arg(long, value_name = "METHOD")]
    method: Method,
    /// The number of connections
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// The time for which the server is left alone before its memory is read
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = crate::arguments::positive)]
    rest: f64,
    /// The length of the message
    #[arg(long, value_name = "B", default_value_t = 100, value_parser = clap::value_parser!(u32).range(30..))]
    bytes: u32,
    #[command(flatten)]
    rounds: Rounds,
}

impl Idle {
    /// Runs the command. Returns whether every client received the message.
    ///
    /// # Errors
    /// Fails when the measurement cannot be made.
    pub async fn run(self) -> anyhow::Result<bool> {
        let work = self.work();
        let rest = Duration::from_secs_f64(self.rest);
        let report = self
            .rounds
            .run(&Comparison {
                command: "idle",
                work: format!("{}, {} connections", self.method.name(), self.connections),
                protocols: vec![Protocol::Follow(self.method)],
                clients: work.subscribers,
                descriptors: work.descriptors() + WARM_UP.0,
                round: &|subject, _| round(&work, rest, subject, self.method),
            })
            .await?;
        self.rounds.show(&report, &report.table())
    }

    fn work(&self) -> Work {
        Work {
            subscribers: self.connections as usize,
            pace: Pace::InFlight(1),
            messages: 1,
            length: None,
            bytes: self.bytes as usize,
            pattern: None,
            patience: PATIENCE,
        }
    }
}

/// One round: warm up, connect, publish one message; memory is read before and after each.
///
/// # Errors
/// Fails when it cannot be made. A message that is lost is no error.
pub fn round(work: &Work, rest: Duration, subject: &Subject<'_>, method: Method) -> anyhow::Result<Sample> {
    // Open until the end, so that none of its memory is reused for the connections that count.
    let _warm = warm_up(work, subject, method)?;
    let mut crowd = crowd(work, subject, method, false)?;
    // Publishers are connected all the time, so that their memory does not count.
    crowd.connect_lanes()?;
    subject.settle(&mut crowd)?;
    crowd.wait(rest)?;
    let before = subject.process.memory()?;
    crowd.connect(AT_A_TIME)?;
    subject.settle(&mut crowd)?;
    crowd.wait(rest)?;
    let idle = subject.process.memory()?;
    let tally = crowd.publish(work.pace, 1, None)?;
    if tally.deliveries < work.subscribers as u64 {
        return Ok(lost(&crowd, 1, tally.deliveries));
    }
    subject.settle(&mut crowd)?;
    crowd.wait(rest)?;
    let used = subject.process.memory()?;

    let mut sample = Sample::default();
    let each =
        |of: fn(&Memory) -> u64, now: &Memory| (of(now) as f64 - of(&before) as f64) / 1024.0 / work.subscribers as f64;
    sample.add(&CONNECTION, each(|memory| memory.rss, &idle));
    sample.add(&CONNECTION_PSS, each(|memory| memory.pss, &idle));
    sample.add(&USED, each(|memory| memory.rss, &used));
    sample.add(&USED_PSS, each(|memory| memory.pss, &used));
    sample.add(&RSS, used.rss as f64 / f64::from(1 << 20));
    crate::fanout::judge(&mut sample, &crowd);
    Ok(sample)
}

/// Connects some other clients, and publishes to them.
fn warm_up(work: &Work, subject: &Subject<'_>, method: Method) -> anyhow::Result<Crowd> {
    let (subscribers, messages) = WARM_UP;
    let mut crowd = crowd(&Work { subscribers, ..work.clone() }, subject, method, false)?;
    crowd.connect(AT_A_TIME)?;
    crowd.connect_lanes()?;
    crowd.publish(Pace::InFlight(1), messages, None)?;
    Ok(crowd)
}
