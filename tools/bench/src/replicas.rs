//! `bench replicas`: the cost of a history that replicas share, through NATS or in a file.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, ValueEnum};
use tokio::task::block_in_place;

use crate::fanout::{AT_A_TIME, judge};
use crate::folder::{Folder, ensure_on_disk};
use crate::load::{Crowd, Door, PATIENCE, Pace, Setup, Subscription, Tally};
use crate::measure::figure::*;
use crate::measure::{Machine, Report, Row, Sample};
use crate::nats::Nats;
use crate::process::Process;
use crate::service::{QUIET, Service, beside, with_defaults};
use crate::target::{Method, Target};

/// The number of subscribers for the delay: so few that their number does not matter.
const FEW: usize = 10;

/// The number of publishers where the rate is given.
const LANES: usize = 4;

/// The number of messages before a measurement begins.
const WARM_UP: u64 = 20;

/// Descriptors beside those of subscribers.
const OTHER_DESCRIPTORS: u64 = 200;

/// Replicas that share a history through NATS or in a file beside one process with its own: delay from one replica to another,
/// deliveries per second, confirmed publications per second, the time until a new replica is ready
///
/// In each round, one process with a history in memory is measured, then one replica with the shared history, two, and so on, on
/// the same machine. A nats-server is started, found by NATS_SERVER, on the path, or where `cargo xtask test` installs it; with
/// `--over file`, the replicas have the same --data instead, in the system's folder for temporary files.
///
/// The server CPU does not include NATS.
///
/// Ready: from starting one more process until its /readyz answers 200, while the history holds --stored messages (a
/// process with a history in memory begins with an empty one). Delay: published on the first replica at a rate, delivered by the
/// last one. Deliveries: subscribers and publishers are spread over the replicas, and a publication is in flight until
/// every subscriber has it. Publications: in flight until confirmed, without subscribers.
///
/// Exit code 0: every subscriber received every message once and in order. 1: not so. 2: it could not be measured.
#[derive(Debug, Args)]
pub struct Replicas {
    /// The method by which messages reach subscribers
    #[arg(long, value_name = "METHOD", default_value = "sse")]
    method: Method,
    /// The largest number of replicas
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    replicas: u16,
    /// The place of the shared history
    #[arg(long, value_name = "PLACE", default_value = "nats")]
    over: Over,
    /// The number of subscribers for the deliveries
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    subscribers: u32,
    /// The number of publications in flight where throughput is measured
    #[arg(long, value_name = "W", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..1000))]
    in_flight: u16,
    /// Messages published per second where delay is measured
    #[arg(long, value_name = "MSG/S", default_value_t = 50.0, value_parser = crate::arguments::positive)]
    rate: f64,
    /// The length of each measurement
    #[arg(long, value_name = "S", default_value_t = 3.0, value_parser = crate::arguments::positive)]
    seconds: f64,
    /// The number of messages in the history when one more replica is started
    #[arg(long, value_name = "M", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    stored: u64,
    /// The length of a message
    #[arg(long, value_name = "B", default_value_t = 100, value_parser = clap::value_parser!(u32).range(30..))]
    bytes: u32,
    /// The number of rounds; medians are shown, with minimum and maximum
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Write all numbers as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Flags for the services, such as `-- --history-bytes 1GiB`
    #[arg(last = true, value_name = "FLAG")]
    flags: Vec<String>,
}

/// The place of a shared history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Over {
    /// A stream of NATS
    Nats,
    /// A file of this machine
    File,
}

impl Replicas {
    /// Runs the command. Returns whether every subscriber received every message.
    ///
    /// # Errors
    /// Fails when the measurement cannot be made.
    pub async fn run(self) -> anyhow::Result<bool> {
        rlimit::increase_nofile_limit(u64::from(self.subscribers) + OTHER_DESCRIPTORS)
            .context("the descriptor limit")?;
        if self.over == Over::File {
            ensure_on_disk()?;
        }
        let target = Target::push()?;
        let work = format!(
            "{}, {} subscribers, {} in flight, {} messages stored, {} bytes each",
            self.method.name(),
            self.subscribers,
            self.in_flight,
            self.stored,
            self.bytes
        );
        println!("replicas: {work}, {} rounds\n", self.rounds);
        // 0 is one process with a history in memory.
        let counts = 0..=self.replicas;
        let mut rows: Vec<Row> = counts.clone().map(|count| self.row(count)).collect();
        for _ in 0..self.rounds {
            for (count, row) in counts.clone().zip(&mut rows) {
                row.take(self.round(&target, count.into()).await.with_context(|| row.target.clone())?);
            }
        }
        let report = Report {
            bench: env!("CARGO_PKG_VERSION").to_owned(),
            command: "replicas".to_owned(),
            work,
            clients: self.subscribers as usize,
            arguments: std::env::args().skip(1).collect(),
            machine: Machine::this(),
            rounds: self.rounds,
            rows,
        };
        report.show(&report.table(), self.json.as_deref())
    }

    fn row(&self, count: u16) -> Row {
        let target = match (count, self.over) {
            (0, _) => "push".to_owned(),
            (count, Over::Nats) => format!("push, NATS, replicas: {count}"),
            (count, Over::File) => format!("push, file, replicas: {count}"),
        };
        let (version, method) = (env!("CARGO_PKG_VERSION").to_owned(), self.method.name().to_owned());
        Row { target, version, method, flags: self.flags.clone(), figures: Vec::new(), faults: Vec::new() }
    }

    async fn round(&self, target: &Target, count: usize) -> anyhow::Result<Sample> {
        let (mut nats, mut folder) = (None, None);
        let shared = match (count, self.over) {
            (0, _) => None,
            (_, Over::Nats) => Some(format!("--nats={}", nats.insert(Nats::start().await?).url())),
            (_, Over::File) => Some(format!("--data={}", folder.insert(Folder::new("data")?).path().display())),
        };
        let history = self.stored.to_string();
        let mut flags = with_defaults(&self.flags, &[QUIET, &[("--history", &history)]].concat());
        flags.extend(shared);
        let mut services = Vec::new();
        for _ in 0..count.max(1) {
            services.push(self.start(&flags).await?);
        }
        let addresses: Vec<_> = services.iter().map(Service::address).collect();
        let (first, last) = (&addresses[..1], &addresses[addresses.len() - 1..]);
        let mut sample = Sample::default();

        block_in_place(|| self.publish(target, first, Pace::Unanswered(self.in_flight.into()), self.stored, None))?;
        let began = Instant::now();
        let late = self.start(&flags).await?;
        sample.add(&READY, began.elapsed().as_secs_f64() * 1e3);
        late.stop().await?;

        let length = Some(Duration::from_secs_f64(self.seconds));
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        block_in_place(|| {
            let mut crowd = self.crowd(target, last, first, FEW, LANES)?;
            let tally = self.measured(&mut crowd, &mut sample, Pace::Rate(self.rate), length)?;
            sample.add(&DELAY_P50, micros(tally.delays.percentile(50)));
            sample.add(&DELAY_P99, micros(tally.delays.percentile(99)));
            drop(crowd);

            let cpu = || services.iter().map(|service| service.process()?.cpu()).sum::<anyhow::Result<Duration>>();
            let mut crowd =
                self.crowd(target, &addresses, &addresses, self.subscribers as usize, self.in_flight.into())?;
            let (before, this) = (cpu()?, Process::this().cpu()?);
            let tally = self.measured(&mut crowd, &mut sample, Pace::InFlight(self.in_flight.into()), length)?;
            let (wall, deliveries) = (tally.wall.as_secs_f64(), tally.deliveries as f64);
            sample.add(&DELIVERIES, deliveries / wall);
            sample.add(&CPU_DELIVERY, micros(cpu()?.saturating_sub(before)) / deliveries);
            let own = Process::this().cpu()?.saturating_sub(this);
            sample.add(&GENERATOR, 100.0 * own.as_secs_f64() / wall);
            drop(crowd);

            let pace = Pace::Unanswered(self.in_flight.into());
            let (published, wall) = self.publish(target, &addresses, pace, u64::MAX, length)?;
            sample.add(&PUBLICATIONS, published as f64 / wall.as_secs_f64());
            anyhow::Ok(())
        })?;
        for service in services {
            service.stop().await?;
        }
        Ok(sample)
    }

    async fn start(&self, flags: &[String]) -> anyhow::Result<Service> {
        let service = Service::own(&beside()?, self.method, flags).await?;
        service.ready().await?;
        Ok(service)
    }

    /// Publishes to the subscribers, which are connected first, and records faults.
    fn measured(
        &self,
        crowd: &mut Crowd,
        sample: &mut Sample,
        pace: Pace,
        length: Option<Duration>,
    ) -> anyhow::Result<Tally> {
        crowd.connect(AT_A_TIME)?;
        crowd.connect_lanes()?;
        crowd.publish(Pace::InFlight(1), WARM_UP, None)?;
        let tally = crowd.publish(pace, u64::MAX, length)?;
        let mut faults = Sample::default();
        judge(&mut faults, crowd);
        sample.faults.extend(faults.faults);
        Ok(tally)
    }

    /// Publishes without subscribers. Returns the number of messages and the time that they took.
    fn publish(
        &self,
        target: &Target,
        at: &[SocketAddr],
        pace: Pace,
        messages: u64,
        length: Option<Duration>,
    ) -> anyhow::Result<(u64, Duration)> {
        let mut crowd = self.crowd(target, at, at, 0, self.in_flight.into())?;
        crowd.connect_lanes()?;
        let began = Instant::now();
        let tally = crowd.publish(pace, messages, length)?;
        Ok((tally.published, began.elapsed()))
    }

    fn crowd(
        &self,
        target: &Target,
        follow: &[SocketAddr],
        publish: &[SocketAddr],
        clients: usize,
        lanes: usize,
    ) -> anyhow::Result<Crowd> {
        let topic = format!("bench-{:08x}", fastrand::u32(..));
        let fill = |path: &str| path.replace("{topic}", &topic).replace("{wait}", "55");
        let door = Door::default();
        let headers = door.headers(&follow.first().context("an address to follow")?.to_string());
        Crowd::new(Setup {
            follow: follow.to_vec(),
            publish: publish.to_vec(),
            door,
            subscription: Subscription::new(self.method, target.route(self.method)?, fill, headers),
            clients,
            lanes,
            path: fill(&target.publish.path),
            topics: 1,
            bytes: self.bytes as usize,
            patience: PATIENCE,
        })
    }
}
