//! `bench fanout`: one message to many.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};

use crate::load::{Crowd, Faults, MAX_TOPICS, NUMBER, Pace, Setup, Subscription, Tally, number};
use crate::measure::figure::*;
use crate::measure::{Comparison, Protocol, Rounds, Sample, Subject};
use crate::process::Process;
use crate::target::Method;

/// The number of subscribers that connect at the same time: fewer than any server's listen queue holds.
pub(crate) const AT_A_TIME: usize = 64;

/// The number of publishers where the rate is given, so that one slow answer does not hold up the next message.
const LANES: usize = 8;

/// The number of messages to every subscriber before the measurement begins.
const WARM_UP: u64 = 3;

/// Publish to many subscribers of one topic: deliveries per second, delay, CPU per delivery
///
/// The delay of a delivery is the time from the beginning of its publication until the subscriber has read it. Every
/// message has a number, and every subscriber has to receive every number once and in order.
///
/// Exit code 0: they did. 1: they did not. 2: it could not be measured.
#[derive(Debug, Args)]
pub struct Fanout {
    /// The method by which messages reach subscribers
    #[arg(long, value_name = "METHOD")]
    method: Method,
    #[command(flatten)]
    work: WorkArgs,
    /// With --pattern: the number of topics over which messages are spread; each holds one before the measurement begins
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        requires = "pattern",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_TOPICS))
    )]
    topics: u32,
    /// Subscribers follow all topics by the pattern `>`, which only servers with such wildcards know
    #[arg(long)]
    pattern: bool,
    #[command(flatten)]
    rounds: Rounds,
}

/// The work of a round, as given on the command line.
#[derive(Debug, Args)]
pub(crate) struct WorkArgs {
    /// The number of subscribers
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    subscribers: u32,
    /// Messages published per second, whatever the server does [default: 20]
    #[arg(long, value_name = "MSG/S", conflicts_with = "in_flight", value_parser = crate::arguments::positive)]
    rate: Option<f64>,
    /// Instead of --rate: how many publications are in flight
    #[arg(long, value_name = "W", value_parser = clap::value_parser!(u16).range(1..1000))]
    in_flight: Option<u16>,
    /// With --in-flight: until when a publication is in flight
    #[arg(long, value_name = "WHEN", default_value = "delivered", requires = "in_flight")]
    until: Until,
    /// The number of messages [default: 100]
    #[arg(long, value_name = "M", conflicts_with = "seconds", value_parser = clap::value_parser!(u64).range(1..))]
    messages: Option<u64>,
    /// Instead of --messages: how long messages are published
    #[arg(long, value_name = "S", value_parser = crate::arguments::positive)]
    seconds: Option<f64>,
    /// The length of a message
    #[arg(long, value_name = "B", default_value_t = 100, value_parser = clap::value_parser!(u32).range(30..))]
    bytes: u32,
}

/// The event until which a publication is in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Until {
    /// It is answered, and every subscriber has it
    Delivered,
    /// It is answered; subscribers may fall behind, and servers queue for them or let them fall out
    Answered,
}

/// The work of a round.
#[derive(Debug, Clone)]
pub struct Work {
    /// The number of subscribers.
    pub subscribers: usize,
    /// The rule by which messages are published.
    pub pace: Pace,
    /// The largest number of messages.
    pub messages: u64,
    /// The longest time.
    pub length: Option<Duration>,
    /// The length of a message.
    pub bytes: usize,
    /// The time without progress after which missing messages are given up.
    pub patience: Duration,
    /// The number of topics over which messages are spread, for subscribers that follow all of them by a pattern.
    pub pattern: Option<u32>,
}

impl WorkArgs {
    pub(crate) fn work(&self) -> Work {
        let pace = match (self.in_flight, self.rate) {
            (Some(lanes), _) if self.until == Until::Answered => Pace::Unanswered(lanes.into()),
            (Some(lanes), _) => Pace::InFlight(lanes.into()),
            (None, rate) => Pace::Rate(rate.unwrap_or(20.0)),
        };
        Work {
            subscribers: self.subscribers as usize,
            pace,
            messages: self.messages.unwrap_or(if self.seconds.is_some() { u64::MAX } else { 100 }),
            length: self.seconds.map(Duration::from_secs_f64),
            bytes: self.bytes as usize,
            patience: crate::load::PATIENCE,
            pattern: None,
        }
    }
}

impl Work {
    pub(crate) fn words(&self) -> String {
        let pace = match self.pace {
            Pace::Rate(rate) => format!("{rate} messages/s"),
            Pace::InFlight(lanes) => format!("{lanes} publications in flight until delivered"),
            Pace::Unanswered(lanes) => format!("{lanes} publications in flight until answered"),
        };
        let length = match self.length {
            Some(length) => format!("{} s", length.as_secs_f64()),
            None => format!("{} messages", self.messages),
        };
        let topics = match self.pattern {
            None => String::new(),
            Some(topics) => format!(" of > over {topics} topics"),
        };
        format!("{} subscribers{topics}, {pace}, {length}, {} bytes each", self.subscribers, self.bytes)
    }

    fn lanes(&self) -> usize {
        match self.pace {
            Pace::Rate(_) => LANES,
            Pace::InFlight(lanes) | Pace::Unanswered(lanes) => lanes,
        }
    }

    pub(crate) fn descriptors(&self) -> usize {
        self.subscribers + self.lanes()
    }
}

impl Fanout {
    /// Runs the command. Returns whether every subscriber received every message.
    ///
    /// # Errors
    /// Fails when the measurement cannot be made.
    pub async fn run(self) -> anyhow::Result<bool> {
        let work = Work { pattern: self.pattern.then_some(self.topics), ..self.work.work() };
        let report = self
            .rounds
            .run(&Comparison {
                command: "fanout",
                work: format!("{}, {}", self.method.name(), work.words()),
                protocols: vec![Protocol::Follow(self.method)],
                clients: work.subscribers,
                descriptors: work.descriptors(),
                round: &|subject, _| round(&work, subject, self.method),
            })
            .await?;
        self.rounds.show(&report, &report.table())
    }
}

/// Builds a crowd for a server.
pub(crate) fn crowd(work: &Work, subject: &Subject<'_>, method: Method, once: bool) -> anyhow::Result<Crowd> {
    let route = subject.target.route(method)?;
    let topic = format!("bench-{:08x}", fastrand::u32(..));
    let fill = |path: &str| path.replace("{topic}", &topic).replace("{wait}", "55");
    let followed = |path: &str| if work.pattern.is_some() { path.replace("{topic}", "%3E") } else { path.to_owned() };
    let headers = subject.door.headers(&subject.address.to_string());
    let subscription = Subscription::new(method, route, |path| fill(&followed(path)), headers);
    let numbered = if work.pattern.is_some() { format!("{topic}.{NUMBER}") } else { topic.clone() };
    let path = fill(&subject.target.publish.path.replace("{topic}", &numbered));
    let topics = work.pattern.unwrap_or(1);
    if work.pattern.is_some() {
        fill_topics(subject.address, &path, topics)?;
    }
    Crowd::new(Setup {
        follow: vec![subject.address],
        publish: vec![subject.address],
        door: subject.door.clone(),
        subscription: if once { subscription.once() } else { subscription },
        clients: work.subscribers,
        lanes: work.lanes(),
        path,
        topics,
        bytes: work.bytes,
        patience: work.patience,
    })
}

/// Publishes a message on each topic.
pub(crate) fn fill_topics(address: SocketAddr, path: &str, topics: u32) -> anyhow::Result<()> {
    const AT_ONCE: u32 = 100;
    for first in (0..topics).step_by(AT_ONCE as usize) {
        let last = topics.min(first + AT_ONCE) - 1;
        let mut requests = String::new();
        for topic in first..=last {
            let path = path.replace(NUMBER, &number(topic));
            let connection = if topic == last { "close" } else { "keep-alive" };
            requests += &format!(
                "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: {connection}\r\nContent-Length: 1\r\n\r\nx"
            );
        }
        let mut stream = TcpStream::connect(address).context("connecting to fill the topics")?;
        stream.write_all(requests.as_bytes())?;
        let mut answers = String::new();
        stream.read_to_string(&mut answers)?;
        let taken = answers.matches("HTTP/1.1 201 ").count();
        ensure!(taken == (last - first + 1) as usize, "{taken} topics were filled: {answers}");
    }
    Ok(())
}

/// One round: connect, warm up, publish.
///
/// # Errors
/// Fails when it cannot be made. Messages that are lost are no error.
pub fn round(work: &Work, subject: &Subject<'_>, method: Method) -> anyhow::Result<Sample> {
    let before = subject.process.memory()?;
    let mut crowd = crowd(work, subject, method, false)?;
    crowd.connect(AT_A_TIME)?;
    subject.settle(&mut crowd)?;
    let idle = subject.process.memory()?;
    crowd.connect_lanes()?;
    // One after the other: a server may be slow the first time, and its queues empty.
    let warm = crowd.publish(Pace::InFlight(1), WARM_UP, None)?;
    if warm.deliveries < WARM_UP * work.subscribers as u64 {
        return Ok(lost(&crowd, WARM_UP, warm.deliveries));
    }
    subject.settle(&mut crowd)?;

    let this = Process::this();
    let cpu = (subject.process.cpu()?, this.cpu()?);
    let tally = crowd.publish(work.pace, work.messages, work.length)?;
    let server = subject.process.cpu()?.saturating_sub(cpu.0);
    let generator = this.cpu()?.saturating_sub(cpu.1);
    let used = subject.process.memory()?;
    // Repeated deliveries, if there are any, come now.
    subject.settle(&mut crowd)?;

    let mut sample = Sample::default();
    delivered(&mut sample, &tally, server);
    let grown = idle.rss.saturating_sub(before.rss) as f64 / 1024.0 / work.subscribers as f64;
    sample.add(&CONNECTION, grown);
    sample.add(&RSS, used.rss as f64 / f64::from(1 << 20));
    if let Pace::Rate(_) = work.pace {
        sample.add(&BEHIND, tally.behind.as_secs_f64() * 1e3);
    }
    let percent = |cpu: Duration| 100.0 * cpu.as_secs_f64() / tally.wall.as_secs_f64();
    sample.add(&SERVER_LOAD, percent(server));
    sample.add(&GENERATOR, percent(generator));
    judge(&mut sample, &crowd);
    Ok(sample)
}

fn delivered(sample: &mut Sample, tally: &Tally, server: Duration) {
    let deliveries = tally.deliveries as f64;
    sample.add(&DELIVERIES, deliveries / tally.wall.as_secs_f64());
    let micros = |delay: Duration| delay.as_secs_f64() * 1e6;
    sample.add(&DELAY_P50, micros(tally.delays.percentile(50)));
    sample.add(&DELAY_P99, micros(tally.delays.percentile(99)));
    sample.add(&DELAY_MAX, micros(tally.delays.max()));
    sample.add(&CPU_DELIVERY, micros(server) / deliveries);
    sample.add(&CPU_MILLION, server.as_secs_f64() * 1e6 / deliveries);
    sample.add(&WIRE, (tally.wire.received + tally.wire.sent) as f64 / deliveries);
    sample.add(&REQUESTS, tally.wire.requests as f64 / deliveries);
}

/// Adds the faults to the sample.
pub(crate) fn judge(sample: &mut Sample, crowd: &Crowd) {
    let faults = crowd.faults();
    sample.add(&MISSING, faults.missing as f64);
    sample.add(&REPEATED, faults.repeated as f64);
    sample.add(&DISORDER, faults.out_of_order as f64);
    if !faults.none() {
        let Faults { missing, repeated, out_of_order } = faults;
        sample.faults.push(format!("{missing} messages missing, {repeated} repeated, {out_of_order} out of order"));
    }
    if let Some((why, count)) = &crowd.lost {
        sample.faults.push(format!("{count} subscribers were lost: {why}"));
    }
}

/// The sample of a round that ended with its first messages.
pub(crate) fn lost(crowd: &Crowd, messages: u64, deliveries: u64) -> Sample {
    let mut sample = Sample::default();
    judge(&mut sample, crowd);
    sample.faults.push(format!("of the first {messages} messages there were only {deliveries} deliveries"));
    sample
}
