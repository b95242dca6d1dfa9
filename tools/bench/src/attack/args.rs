//! The command line, and the loop over attacks and servers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;

use super::kind::Kind;
use super::limits::Limits;
use super::table::{summary, table};
use super::trial::{Plan, Trial};
use crate::measure::figure::{DRAIN, EXIT};
use crate::measure::{Machine, Peer, Protocol, Report, Row, Sample, Subject};
use crate::target::Method;

/// Descriptors beside those of honest subscribers and attackers.
const OTHER_DESCRIPTORS: usize = 200;

/// The longest time for a server to settle before the attack.
const RESTLESS: Duration = Duration::from_secs(5);

/// Attack a service, and measure what its honest clients notice
///
/// Each attack has a service of its own, freshly started; some have TLS or keys of tokens, and then honest clients as well. A short first
/// attack has the process take what it takes once. Honest subscribers follow one topic, to which an honest publisher
/// publishes at a steady rate; /livez is asked every 20 ms over a new connection. All this is measured without the attack, and
/// again during it. Then memory and descriptors have time to fall; at last the service is attacked again and stopped.
///
/// Attackers run in one thread, which shares the machine's cores with the server: compare with the attack `spin`, which only
/// uses a core.
///
/// Exit code 0: every honest subscriber received every message once and in order, every probe was answered, and the limits were kept. 1: not so.
/// 2: it could not be measured.
#[derive(Debug, Args)]
pub struct Attack {
    /// An attack; may be repeated [default: all]
    #[arg(long, value_name = "NAME")]
    only: Vec<Kind>,
    /// The method of honest subscribers, and the service that is attacked; attacks on WebSockets are on ws-echo
    #[arg(long, value_name = "METHOD", default_value = "sse")]
    method: Method,
    /// The number of honest subscribers
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..))]
    subscribers: u32,
    /// Honest messages published per second
    #[arg(long, value_name = "MSG/S", default_value_t = 20.0, value_parser = crate::arguments::positive)]
    rate: f64,
    /// The number of attackers [default: depends on the attack]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    attackers: Option<u32>,
    /// The time of the first attack
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0, value_parser = crate::arguments::positive)]
    warm_up: f64,
    /// The time without an attack
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = crate::arguments::positive)]
    quiet: f64,
    /// The time of the attack
    #[arg(long, value_name = "SECONDS", default_value_t = 6.0, value_parser = crate::arguments::positive)]
    seconds: f64,
    /// The longest time for memory and descriptors to fall after the attack
    #[arg(long, value_name = "SECONDS", default_value_t = 20.0, value_parser = crate::arguments::positive)]
    rest: f64,
    /// The most times that the p99 of honest delays may be of what it was without the attack
    #[arg(long, value_name = "RATIO", default_value_t = 3.0, value_parser = crate::arguments::positive)]
    max_p99_ratio: f64,
    /// The most that memory may be above what it was before the attack, in per cent
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0, value_parser = crate::arguments::positive)]
    max_memory_percent: f64,
    /// The service's --drain
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = crate::arguments::positive)]
    drain: f64,
    /// A service: `push` (this repository's) or `push=DIR` (the same, built elsewhere: the folder of its programs). May be
    /// repeated
    #[arg(long = "target", value_name = "TARGET", default_value = "push")]
    targets: Vec<String>,
    /// Write all numbers as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Flags for the services, such as `-- --history 20`
    #[arg(last = true, value_name = "FLAG")]
    flags: Vec<String>,
}

impl Attack {
    /// Runs the command. Returns whether honest clients received everything, probes were answered and the limits were kept.
    ///
    /// # Errors
    /// Fails when it cannot be measured.
    pub async fn run(self) -> anyhow::Result<bool> {
        let peers =
            self.targets.iter().map(|name| Peer::named(name, &self.flags)).collect::<anyhow::Result<Vec<_>>>()?;
        ensure!(peers.iter().all(Peer::is_own), "only services of this repository can be attacked: push or push=DIR");
        let kinds = if self.only.is_empty() { Kind::all().to_vec() } else { self.only.clone() };
        let plan = self.plan();
        let most = kinds.iter().map(|&kind| plan.attackers(kind)).max().unwrap_or(0);
        let needed = (plan.subscribers + most + OTHER_DESCRIPTORS) as u64;
        let allowed = rlimit::increase_nofile_limit(u64::MAX).context("cannot read the descriptor limit")?;
        ensure!(needed <= allowed, "this needs about {needed} open files and the system allows {allowed}");
        let work = plan.words();
        println!("attack: {work}");
        let mut rows = Vec::new();
        for kind in kinds {
            for peer in &peers {
                let row = self.row(&plan, kind, peer).await;
                print!("\n{}", table(&row, &self.limits()));
                rows.push(row);
            }
        }
        let report = Report {
            bench: env!("CARGO_PKG_VERSION").to_owned(),
            command: "attack".to_owned(),
            work,
            clients: plan.subscribers,
            arguments: std::env::args().skip(1).collect(),
            machine: Machine::this(),
            rounds: 1,
            rows,
        };
        report.show(&format!("\n{}", summary(&report.rows)), self.json.as_deref())
    }

    fn plan(&self) -> Plan {
        Plan {
            subscribers: self.subscribers as usize,
            rate: self.rate,
            attackers: self.attackers.map(|number| number as usize),
            warm_up: Duration::from_secs_f64(self.warm_up),
            quiet: Duration::from_secs_f64(self.quiet),
            length: Duration::from_secs_f64(self.seconds),
            rest: Duration::from_secs_f64(self.rest),
        }
    }

    fn limits(&self) -> Limits {
        Limits { p99_ratio: self.max_p99_ratio, memory_percent: self.max_memory_percent }
    }

    /// Measures one attack on one service. What ends the measurement is a fault of it: the others go on.
    async fn row(&self, plan: &Plan, kind: Kind, peer: &Peer) -> Row {
        let protocol = Protocol::Follow(kind.method(self.method));
        let mut row = Row::new(peer, protocol);
        kind.name().clone_into(&mut row.method);
        let mut sample = Sample::default();
        if let Err(error) = self.round(plan, kind, peer, &mut sample).await {
            sample.faults.push(format!("{error:#}"));
        }
        row.take(sample);
        let broken = self.limits().judge(&row).into_iter().filter(|verdict| !verdict.passes);
        row.faults.extend(broken.map(|verdict| verdict.words));
        row
    }

    async fn round(&self, plan: &Plan, kind: Kind, peer: &Peer, sample: &mut Sample) -> anyhow::Result<()> {
        let method = kind.method(self.method);
        let drain = format!("{}ms", (self.drain * 1e3).round());
        let site = Arc::new(kind.site()?);
        let mut flags = kind.flags(plan.places());
        flags.extend(site.flags());
        flags.push(("--drain", drain));
        let flags: Vec<(&str, &str)> = flags.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let service = peer.start_with(Protocol::Follow(method), &flags).await?;
        if kind.leaves_log_unread() {
            service.leave_log_unread();
        }
        let (address, process) = (service.address(), service.process()?);
        let door = site.door().clone();
        let subject = Subject { target: &peer.target, address, door, process, restless: RESTLESS };
        let trial = tokio::task::block_in_place(|| {
            let mut trial = Trial::begin(plan, kind, method, &site, &subject)?;
            trial.run(&subject, sample)?;
            anyhow::Ok(trial)
        })?;
        let exit = trial.stop(service).await?;
        sample.add(&DRAIN, self.drain);
        sample.add(&EXIT, exit.as_secs_f64());
        Ok(())
    }
}
