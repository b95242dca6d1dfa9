//! The command line of `bench cuts`.

use std::fs;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::pin::Pin;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::{Args, ValueEnum};

use super::replicas::{Replica, Shared, Upheaval, measure_replicas};
use super::report::{Report, Results, Stalls};
use super::run::{Plan, Server, measure};
use super::storm::storm;
use crate::nats::Nats;
use crate::service::{Pace, Service, beside, value, with_defaults};
use crate::target::{Method, Target};

/// Cut, reset, black-hole and slow down connections at random, and see whether a client loses a message untold
///
/// Starts a service, puts a TCP proxy between it and its clients, publishes numbered messages and injures connections at
/// random: closes them, resets them, lets them lead nowhere, slows them down, cuts them at any byte. Clients come back and
/// resume from where they were, as good clients do. At the end the injuries cease, everyone catches up, and the score
/// is taken: every message has to have reached every client once and in order, or the client has to have been told of the
/// gap that it fell into.
///
/// Exit code 0: so it was. 1: it was not. 2: the run could not be made.
#[derive(Debug, Args)]
pub struct Cuts {
    /// How clients follow
    #[arg(long, value_name = "METHOD", default_value = "all")]
    method: Choice,
    /// How many clients there are; one in four follows all topics, where the server has wildcards
    #[arg(long, value_name = "N", default_value_t = 300)]
    clients: usize,
    /// How long connections are injured, of each method
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    seconds: u64,
    /// Decides which connection is injured when and how [default: at random, and printed]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Messages published a second
    #[arg(long, value_name = "MSG/S", default_value_t = 50.0, value_parser = positive)]
    rate: f64,
    /// Topics that messages are spread over
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    topics: u16,
    /// How many publish at the same time. A server that tells no places for its messages takes one alone
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    publishers: u16,
    /// The length of a message [default: 100, with --stalled 1024]
    #[arg(long, value_name = "BYTES")]
    bytes: Option<usize>,
    /// Mean time between injuries of one connection
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = positive)]
    calm: f64,
    /// The server's heartbeat. Clients take a connection for dead after two and a half
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = positive)]
    heartbeat: f64,
    /// How long clients may take to catch up in the end
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    deadline: u64,
    /// Publishers pass the proxy too, and repeat what was not answered under the same Idempotency-Key
    #[arg(long, conflicts_with = "restart_every")]
    injure_publisher: bool,
    /// Stop the service by SIGTERM and start it again on the same port, so often. Its history ends with it, so every client
    /// has to be told, by one gap a restart
    #[arg(long, value_name = "SECONDS", conflicts_with_all = ["url", "target"])]
    restart_every: Option<u64>,
    /// Instead: N clients, all connected directly, are cut at once and come back at once, while 100 others stay
    #[arg(long, value_name = "N", conflicts_with_all = ["restart_every", "stalled"])]
    storm: Option<usize>,
    /// Instead: without injuries, first without and then with N subscribers that never read
    #[arg(long, value_name = "N")]
    stalled: Option<usize>,
    /// Instead: so many replicas of each service, which share one history by a nats-server that is started for the run, and
    /// a balancer that leads whoever comes back to another replica. Every method has so many --clients, all at the same time;
    /// publishers go to any replica and repeat what was not confirmed
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..),
        conflicts_with_all = ["url", "target", "storm", "stalled", "restart_every"]
    )]
    replicas: Option<u16>,
    /// With --replicas: how often NATS is killed (SIGKILL) and started again
    #[arg(long, value_name = "N", default_value_t = 0, requires = "replicas")]
    nats_restarts: u32,
    /// With --replicas: how many replicas of each service are restarted (SIGTERM)
    #[arg(long, value_name = "N", default_value_t = 0, requires = "replicas")]
    replica_restarts: u32,
    /// With --replicas: half of the time, a client that comes back does so by another method: from Server-Sent Events to
    /// polls, to WebSockets, and round again
    #[arg(long, requires = "replicas")]
    switch_methods: bool,
    /// A server of this repository that runs already, such as http://localhost:3001; its --heartbeat has to be the same
    /// as here
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Another server, by its description; see tools/bench/targets
    #[arg(long, value_name = "FILE")]
    target: Option<PathBuf>,
    /// Write all numbers as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Flags for the service, such as `-- --history 20`
    #[arg(last = true, value_name = "FLAG")]
    flags: Vec<String>,
}

/// One method or all.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Choice {
    /// WebSocket
    Ws,
    /// Long polling
    Poll,
    /// Server-Sent Events
    Sse,
    /// One after the other
    All,
}

/// Descriptors beside those of connections.
const OTHER_DESCRIPTORS: u64 = 200;

/// Descriptors that a client takes: its own, two in the proxy, the proxy's listener; and some of connections that lead
/// nowhere.
const DESCRIPTORS_A_CLIENT: u64 = 10;

/// What a service's history holds unless told otherwise; half of it, so that nothing depends on how sizes are counted.
const USUAL_BYTES: f64 = 32.0 * 1024.0 * 1024.0;
const USUAL_AGE: Duration = Duration::from_secs(600);

/// What a message takes beside its text.
const A_MESSAGE: f64 = 300.0;

/// How long another server holds a poll.
const HOLD: Duration = Duration::from_secs(2);

impl Cuts {
    /// Runs the command. Returns whether the promise was kept.
    ///
    /// # Errors
    /// When the run could not be made.
    pub async fn run(self) -> anyhow::Result<bool> {
        let target = match &self.target {
            Some(path) => Target::read(path)?,
            None => Target::push()?,
        };
        ensure!(self.publishers == 1 || target.publish.places, "{} tells no places: one publisher", target.name);
        let methods = self.methods(&target)?;
        self.raise_descriptors()?;
        let seed = self.seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
        let plan = self.plan(seed);
        println!(
            "{}: seed {seed}, {} clients, {} messages/s of {} bytes, an injury every {} s on average",
            target.name, plan.clients, plan.rate, plan.bytes, self.calm
        );

        let results = match self.replicas {
            Some(count) => Results::Replicas(self.over_replicas(&plan, &target, &methods, count).await?),
            None => self.results(&plan, &target, &methods).await?,
        };
        println!("\n{}", results.table());
        for (method, example) in results.examples() {
            println!("{}: {example}", method.name());
        }
        let clean = results.is_clean();
        if let Some(path) = &self.json {
            let report = Report {
                bench: env!("CARGO_PKG_VERSION"),
                server: target.name.clone(),
                server_version: version(&target),
                arguments: std::env::args().skip(1).collect(),
                server_flags: self.service_flags(),
                seed,
                results,
            };
            let json = serde_json::to_string_pretty(&report)?;
            fs::write(path, json + "\n").with_context(|| format!("writing {}", path.display()))?;
        }
        Ok(clean)
    }

    async fn results(&self, plan: &Plan, target: &Target, methods: &[Method]) -> anyhow::Result<Results> {
        let (mut outcomes, mut storms, mut stalls) = (Vec::new(), Vec::new(), Vec::new());
        for &method in methods {
            let mut server = self.server(target, method).await?;
            if let Some(count) = self.storm {
                storms.push(storm(plan, count, target, method, &server).await?);
            } else if let Some(stalled) = self.stalled {
                let plan = Plan { calm: None, length: plan.length / 2, ..plan.clone() };
                let without = measure(&plan, target, method, &mut server).await?;
                let with = measure(&Plan { stalled, ..plan }, target, method, &mut server).await?;
                stalls.push(Stalls { without, with });
            } else {
                outcomes.push(measure(plan, target, method, &mut server).await?);
            }
            if let Server::Started(service) = server {
                service.stop().await?;
            }
        }
        Ok(match (self.storm, self.stalled) {
            (Some(_), _) => Results::Storms(storms),
            (_, Some(_)) => Results::Stalled(stalls),
            _ => Results::Cuts(outcomes),
        })
    }

    async fn over_replicas(
        &self,
        plan: &Plan,
        target: &Target,
        methods: &[Method],
        count: u16,
    ) -> anyhow::Result<Shared> {
        let mut nats = Nats::start().await?;
        let flags = with_defaults(&self.service_flags(), &[("--nats", &nats.url())]);
        let folder = beside()?;
        let mut replicas: Vec<Box<dyn Replica>> = Vec::new();
        for &method in methods {
            for _ in 0..count {
                let service = Service::own(&folder, method, &flags).await?;
                service.ready().await?;
                replicas.push(Box::new(Started { method, service }));
            }
        }
        let upheaval = Upheaval {
            nats_restarts: self.nats_restarts,
            replica_restarts: self.replica_restarts,
            switch_methods: self.switch_methods,
            long_history: long_enough(plan, &flags),
        };
        measure_replicas(plan, upheaval, target, &mut replicas, Some(&mut nats)).await
    }

    fn methods(&self, target: &Target) -> anyhow::Result<Vec<Method>> {
        let methods = match self.method {
            Choice::Ws => vec![Method::Ws],
            Choice::Poll => vec![Method::Poll],
            Choice::Sse => vec![Method::Sse],
            Choice::All if self.url.is_some() && self.target.is_none() => {
                bail!("a service speaks one method: say by --method which one is at --url")
            }
            Choice::All => target.methods(),
        };
        for &method in &methods {
            target.route(method)?;
        }
        Ok(methods)
    }

    fn plan(&self, seed: u64) -> Plan {
        Plan {
            clients: self.clients,
            length: Duration::from_secs(self.seconds),
            seed,
            rate: self.rate,
            topics: self.topics.into(),
            publishers: self.publishers.into(),
            bytes: self.bytes.unwrap_or(if self.stalled.is_some() { 1024 } else { 100 }),
            calm: Some(Duration::from_secs_f64(self.calm)),
            heartbeat: Duration::from_secs_f64(self.heartbeat),
            deadline: Duration::from_secs(self.deadline),
            injure_publishers: self.injure_publisher,
            restart_every: self.restart_every.map(Duration::from_secs),
            stalled: 0,
            progress: true,
        }
    }

    async fn server(&self, target: &Target, method: Method) -> anyhow::Result<Server> {
        Ok(match (&self.url, &self.target) {
            (Some(url), _) => Server::At(address(url)?),
            (None, Some(_)) => {
                let pace = Pace { heartbeat: Duration::from_secs_f64(self.heartbeat.max(1.0)), hold: HOLD };
                Server::Started(Box::new(Service::foreign(target, &target.route(method)?.start, pace).await?))
            }
            (None, None) => Server::Started(Box::new(Service::own(&beside()?, method, &self.service_flags()).await?)),
        })
    }

    /// What this command needs, unless the user says otherwise, and what the user says.
    fn service_flags(&self) -> Vec<String> {
        let heartbeat = format!("{}ms", (self.heartbeat * 1e3).round());
        with_defaults(
            &self.flags,
            &[("--tick", "0"), ("--heartbeat", &heartbeat), ("--drain", "2s"), ("--log", "info")],
        )
    }

    fn raise_descriptors(&self) -> anyhow::Result<()> {
        let allowed = rlimit::increase_nofile_limit(u64::MAX).context("cannot read the descriptor limit")?;
        let needed = match self.storm {
            Some(clients) => clients as u64,
            None => {
                let at_once = if self.replicas.is_some() { 3 } else { 1 };
                self.clients as u64 * at_once * DESCRIPTORS_A_CLIENT + self.stalled.unwrap_or(0) as u64
            }
        } + OTHER_DESCRIPTORS;
        ensure!(
            needed <= allowed,
            "this needs about {needed} open files and the system allows {allowed}: raise `ulimit -n`"
        );
        Ok(())
    }
}

/// A replica that is a process.
struct Started {
    method: Method,
    service: Service,
}

impl Replica for Started {
    fn method(&self) -> Method {
        self.method
    }

    fn address(&self) -> SocketAddr {
        self.service.address()
    }

    fn restart(&mut self) -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send + '_>> {
        Box::pin(self.service.replace())
    }
}

/// Whether a history holds whatever is published in a run, as far as the flags tell.
fn long_enough(plan: &Plan, flags: &[String]) -> bool {
    let messages = plan.rate * plan.length.as_secs_f64() + 1000.0;
    let held = value(flags, "--history").map_or(1000.0, |held| held.parse().unwrap_or(0.0));
    let ample = |flag| value(flags, flag).is_none();
    held >= messages
        && ample("--history-age")
        && ample("--history-bytes")
        && plan.length + plan.deadline < USUAL_AGE
        && messages * (plan.bytes as f64 + A_MESSAGE) < USUAL_BYTES
}

pub(crate) fn positive(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if number > 0.0 && f64::is_finite(number) => Ok(number),
        _ => Err("write a number above 0".to_owned()),
    }
}

fn address(url: &str) -> anyhow::Result<SocketAddr> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("ws://")).unwrap_or(url);
    let host = rest.trim_end_matches('/');
    let mut found = host.to_socket_addrs().with_context(|| format!("{url}: write http://HOST:PORT"))?;
    found.next().with_context(|| format!("{host} has no address"))
}

/// What a server says of itself; this repository's services have the version of this program.
pub(crate) fn version(target: &Target) -> String {
    let Some((program, arguments)) = target.version.split_first() else { return env!("CARGO_PKG_VERSION").to_owned() };
    let here = target.here().to_string_lossy();
    let arguments = arguments.iter().map(|argument| argument.replace("{here}", &here));
    match Command::new(program).args(arguments).output() {
        Ok(output) => String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned(),
        Err(_) => "unknown".to_owned(),
    }
}
