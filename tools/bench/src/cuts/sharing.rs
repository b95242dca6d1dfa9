//! The options of a run over several replicas, and the replicas as processes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use clap::Args;

use super::replica::Replica;
use super::replicas::{Shared, Upheaval, measure_replicas};
use super::run::Plan;
use crate::folder::Folder;
use crate::nats::Nats;
use crate::service::{Service, beside, value, with_defaults};
use crate::target::{Method, Target};

/// The default limits of a service's history; half of the bytes, so that nothing depends on how sizes are counted.
const USUAL_BYTES: f64 = 32.0 * 1024.0 * 1024.0;
const USUAL_AGE: Duration = Duration::from_secs(600);

/// The bytes that a message takes in addition to its text.
const A_MESSAGE: f64 = 300.0;

#[derive(Debug, Args)]
pub(super) struct Sharing {
    /// Start N replicas of each service, which share one history through a nats-server that is started for the run, and a
    /// balancer that leads every client that reconnects to another replica. Every method has so many --clients, all at
    /// the same time; publishers use any replica and repeat what was not confirmed
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..),
        conflicts_with_all = ["url", "target", "storm", "stalled", "restart_every"]
    )]
    pub(super) replicas: Option<u16>,
    /// With --replicas: they share the history in this directory (--data of the services) instead of NATS
    #[arg(long, value_name = "DIR", requires = "replicas", conflicts_with = "nats_restarts")]
    data: Option<PathBuf>,
    /// With --replicas: kill them (SIGKILL) with this interval, all at once and a random half in turn, and start them again
    /// 0.2 to 2 s later, over the directory of --data or a temporary one. After the run all are killed once more, and the history
    /// that each then has is compared with what was confirmed
    #[arg(
        long,
        value_name = "SECONDS",
        requires = "replicas",
        value_parser = clap::value_parser!(u64).range(1..),
        conflicts_with_all = ["nats_restarts", "replica_restarts"]
    )]
    kill_every: Option<u64>,
    /// With --replicas: how often NATS is killed (SIGKILL) and started again
    #[arg(long, value_name = "N", default_value_t = 0, requires = "replicas")]
    nats_restarts: u32,
    /// With --replicas: how many replicas of each service are restarted (SIGTERM)
    #[arg(long, value_name = "N", default_value_t = 0, requires = "replicas")]
    replica_restarts: u32,
    /// With --replicas: half of the time, a client that reconnects does so by another method: from Server-Sent Events to
    /// polls, to WebSockets, and round again
    #[arg(long, requires = "replicas")]
    switch_methods: bool,
}

impl Sharing {
    /// Runs a plan over `count` replicas for each method.
    pub(super) async fn measure(
        &self,
        plan: &Plan,
        target: &Target,
        methods: &[Method],
        count: u16,
        flags: &[String],
    ) -> anyhow::Result<Shared> {
        let in_a_file = self.data.is_some() || self.kill_every.is_some();
        let (mut nats, mut temporary) = (None, None);
        let shared = if in_a_file {
            let data = match &self.data {
                Some(data) => data.clone(),
                None => temporary.insert(Folder::new("data")?).path().to_owned(),
            };
            ("--data", data.display().to_string())
        } else {
            ("--nats", nats.insert(Nats::start().await?).url())
        };
        let flags = with_defaults(flags, &[(shared.0, &shared.1)]);
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
            kill_every: self.kill_every.map(Duration::from_secs),
            switch_methods: self.switch_methods,
            long_history: long_enough(plan, &flags),
            in_a_file,
        };
        measure_replicas(plan, upheaval, target, &mut replicas, nats.as_mut()).await
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

    fn kill(&mut self) -> anyhow::Result<()> {
        self.service.kill()
    }

    fn start(&mut self) -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send + '_>> {
        Box::pin(self.service.start_again())
    }
}

/// Returns whether a history holds everything that is published in a run, as far as the flags say.
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
