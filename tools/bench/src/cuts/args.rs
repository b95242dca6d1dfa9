//! The command line of `bench cuts`.

use std::fs;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::{Args, ValueEnum};

use super::issuer::Issuer;
use super::report::{Report, Results, Stalls};
use super::run::{Plan, Server, measure};
use super::sharing::Sharing;
use super::storm::storm;
use crate::service::{Pace, Service, beside, with_defaults};
use crate::target::{Method, Target};

/// Cut, reset, black-hole and slow down connections at random, and look for messages that clients lose without a gap
///
/// Starts a service, puts a TCP proxy between it and its clients, publishes numbered messages and injures connections at
/// random: closes them, resets them, drops what passes, slows them down, cuts them at any byte. Clients reconnect and
/// resume from their cursor, as good clients do. At the end the injuries cease and every client catches up. Then every
/// message has to have reached every client once and in order, or a gap has to have reported its loss.
///
/// Exit code 0: so it was. 1: it was not. 2: it could not be measured.
#[derive(Debug, Args)]
pub struct Cuts {
    /// The method by which clients follow
    #[arg(long, value_name = "METHOD", default_value = "all")]
    method: Choice,
    /// The number of clients; one in four follows all topics, where the server has wildcards
    #[arg(long, value_name = "N", default_value_t = 300)]
    clients: usize,
    /// The time for which connections are injured, for each method
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    seconds: u64,
    /// The seed that decides which connection is injured when and how [default: at random, and printed]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Messages published per second
    #[arg(long, value_name = "MSG/S", default_value_t = 50.0, value_parser = crate::arguments::positive)]
    rate: f64,
    /// The number of topics
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    topics: u16,
    /// The number of publishers. If a server's answers to them have no cursors, there can only be one
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    publishers: u16,
    /// The length of a message [default: 100, with --stalled 1024]
    #[arg(long, value_name = "BYTES")]
    bytes: Option<usize>,
    /// Mean time between injuries of one connection
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = crate::arguments::positive)]
    calm: f64,
    /// The server's heartbeat. Clients count a connection as dead after two and a half heartbeats
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = crate::arguments::positive)]
    heartbeat: f64,
    /// The longest time for clients to catch up at the end
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    deadline: u64,
    /// Publishers pass through the proxy too, and repeat unanswered messages under the same Idempotency-Key
    #[arg(long, conflicts_with = "restart_every")]
    injure_publisher: bool,
    /// Stop the service by SIGTERM and start it again on the same port, with this interval. Its history ends with it,
    /// which one gap for each restart has to report to every client
    #[arg(long, value_name = "SECONDS", conflicts_with_all = ["url", "target"])]
    restart_every: Option<u64>,
    /// Instead of injuries: N clients, all connected directly, are cut at once and reconnect at once, while 100 others
    /// stay
    #[arg(long, value_name = "N", conflicts_with_all = ["restart_every", "stalled"])]
    storm: Option<usize>,
    /// Instead of injuries: measure without and then with N subscribers that never read
    #[arg(long, value_name = "N")]
    stalled: Option<usize>,
    /// Close the service, and have clients follow with tokens of this life, each by a new one when it reconnects, and over WebSocket
    /// within the connection
    #[arg(long, value_name = "SECONDS", value_parser = crate::arguments::positive, conflicts_with_all = ["storm", "stalled", "url", "target", "replicas"])]
    token_life: Option<f64>,
    #[command(flatten)]
    sharing: Sharing,
    /// A server of this repository that is already running, such as http://localhost:3001; its --heartbeat has to be the
    /// same as here
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

/// The descriptors for one client: its own, two in the proxy, the proxy's listener, and some for connections whose bytes
/// are dropped.
const DESCRIPTORS_A_CLIENT: u64 = 10;

/// The time for which another server holds a poll.
const HOLD: Duration = Duration::from_secs(2);

impl Cuts {
    /// Runs the command. Returns whether the promise was kept.
    ///
    /// # Errors
    /// Fails when it cannot be measured.
    pub async fn run(self) -> anyhow::Result<bool> {
        let target = match &self.target {
            Some(path) => Target::read(path)?,
            None => Target::push()?,
        };
        ensure!(
            self.publishers == 1 || target.publish.places,
            "{} has no cursors in its answers to publishers: only one publisher is possible",
            target.name
        );
        let methods = self.methods(&target)?;
        self.raise_descriptors()?;
        let seed = self.seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
        let plan = self.plan(seed);
        println!(
            "{}: seed {seed}, {} clients, {} messages/s of {} bytes, an injury every {} s on average",
            target.name, plan.clients, plan.rate, plan.bytes, self.calm
        );

        let results = match self.sharing.replicas {
            Some(count) => {
                let flags = self.service_flags();
                Results::Replicas(self.sharing.measure(&plan, &target, &methods, count, &flags).await?)
            }
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
                server_version: target.version(),
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
            let mut server = self.server(target, method, plan.issuer.as_deref()).await?;
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

    fn methods(&self, target: &Target) -> anyhow::Result<Vec<Method>> {
        let methods = match self.method {
            Choice::Ws => vec![Method::Ws],
            Choice::Poll => vec![Method::Poll],
            Choice::Sse => vec![Method::Sse],
            Choice::All if self.url.is_some() && self.target.is_none() => {
                bail!("a service has one method: name the one at --url by --method")
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
            issuer: self.token_life.map(|life| Arc::new(Issuer::new(Duration::from_secs_f64(life)))),
        }
    }

    async fn server(&self, target: &Target, method: Method, issuer: Option<&Issuer>) -> anyhow::Result<Server> {
        Ok(match (&self.url, &self.target) {
            (Some(url), _) => Server::At(address(url)?),
            (None, Some(_)) => {
                let pace = Pace { heartbeat: Duration::from_secs_f64(self.heartbeat.max(1.0)), hold: HOLD };
                Server::Started(Box::new(Service::foreign(target, &target.route(method)?.start, pace).await?))
            }
            (None, None) => {
                let of_tokens = issuer.map(Issuer::flags).into_iter().flatten();
                let flags: Vec<_> = self.service_flags().into_iter().chain(of_tokens).collect();
                Server::Started(Box::new(Service::own(&beside()?, method, &flags).await?))
            }
        })
    }

    /// The flags that this command needs, unless the user sets them, and the flags of the user.
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
                let at_once = if self.sharing.replicas.is_some() { 3 } else { 1 };
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

fn address(url: &str) -> anyhow::Result<SocketAddr> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("ws://")).unwrap_or(url);
    let host = rest.trim_end_matches('/');
    let mut found = host.to_socket_addrs().with_context(|| format!("{url}: write http://HOST:PORT"))?;
    found.next().with_context(|| format!("{host} has no address"))
}
