//! A run over several replicas of each service, which share a history through NATS or in a file.
//!
//! ```text
//! publishers ──▶ balancer ─────────▶ 3 × ws-echo          ┐
//!                                    3 × longpoll-server  ├── NATS, killed now and then; or a file, and they are killed
//! clients ◀── bad network, balancer ◀─ 3 × sse-server     ┘
//! ```

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use fastrand::Rng;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::crowd::{Crowd, Setting};
use super::events::Clock;
use super::kills::{kill_all, kill_replicas};
use super::ledger::Ledger;
use super::progress;
use super::proxy::Proxy;
use super::publisher::{Published, Publisher, Trouble};
use super::replica::{AWAY, Replica, Site};
use super::run::{FOLLOWS_ALL, Outcome, Plan, SETTLE};
use super::score::Score;
use super::stored::Stored;
use crate::nats::Nats;
use crate::target::{Method, Target};

/// The order in which clients change methods.
const ROUND: [Method; 3] = [Method::Sse, Method::Poll, Method::Ws];

/// The longest time at the end until every publication is accepted.
const TAKEN: Duration = Duration::from_secs(60);

/// The disturbances of a run.
#[derive(Debug, Clone, Copy)]
pub struct Upheaval {
    /// The number of times that NATS is killed and started again.
    pub nats_restarts: u32,
    /// The number of replicas of each service that are restarted, one after the other.
    pub replica_restarts: u32,
    /// The interval at which replicas are killed, all or some of them.
    pub kill_every: Option<Duration>,
    /// Clients that reconnect do so by another method half of the time.
    pub switch_methods: bool,
    /// The history is long enough for nothing to be lost.
    pub long_history: bool,
    /// The history is in a file that all replicas share: no gap may be reported as long as it is long enough.
    pub in_a_file: bool,
}

/// The results of a run over replicas.
#[derive(Debug, Clone, Serialize)]
pub struct Shared {
    /// The clients, by the method that they began with.
    pub by_first_method: Vec<Outcome>,
    /// The number of replicas of all services.
    pub replicas: usize,
    /// The number of times that NATS was killed.
    pub nats_restarts: u32,
    /// The number of replicas that were restarted.
    pub replica_restarts: u32,
    /// The number of processes that were killed.
    pub killed: u32,
    /// The number of times that a client changed its method.
    pub switches: u64,
    /// The failures that publishers met with.
    pub trouble: Trouble,
    /// The history was long enough for nothing to be lost.
    pub long_history: bool,
    /// The history was in a file that all replicas shared.
    pub in_a_file: bool,
    /// The histories after all replicas were killed at the end of the run.
    pub stored: Option<Stored>,
}

impl Shared {
    /// Returns whether the promise was kept. There is one history for all replicas, so no gap may report another one.
    pub fn is_clean(&self) -> bool {
        let any = |count: fn(&Score) -> u64| self.by_first_method.iter().any(|outcome| count(&outcome.score) > 0);
        let lost = any(|score| score.lost_reported);
        let gaps = self.in_a_file && any(|score| score.gaps.values().sum());
        self.by_first_method.iter().all(Outcome::is_clean)
            && !(self.long_history && (lost || gaps))
            && self.stored.is_none_or(|stored| stored.is_clean())
    }
}

/// Runs a plan over replicas that are ready. `nats` is the server that they share, if it is to be killed.
///
/// # Errors
/// Fails when the run cannot be made. Losses are no error.
pub async fn measure_replicas(
    plan: &Plan,
    upheaval: Upheaval,
    target: &Target,
    replicas: &mut [Box<dyn Replica>],
    nats: Option<&mut Nats>,
) -> anyhow::Result<Shared> {
    let sites = Site::of(replicas, &ROUND);
    ensure!(!upheaval.switch_methods || sites.len() > 1, "to change the method, clients need several");
    let (clock, run) = (Clock::start(), fastrand::u32(..));
    let setting = |method| Setting { target, method, heartbeat: plan.heartbeat, clock, run, issuer: None };

    let mut crowds = Vec::new();
    for (first, site) in sites.iter().enumerate() {
        let count = if upheaval.switch_methods { sites.len() } else { 1 };
        let followed: Vec<&Site> = sites.iter().cycle().skip(first).take(count).collect();
        let routes = (0..plan.clients).flat_map(|_| followed.iter().map(|site| site.addresses.clone()));
        let proxy = Proxy::start(routes, plan.seed.wrapping_add(first as u64), plan.calm).await.context("the proxy")?;
        let clients = (0..plan.clients).map(|client| {
            let topic = (client % FOLLOWS_ALL != FOLLOWS_ALL - 1).then_some(client % plan.topics);
            let endpoint = |(index, site): (usize, &&Site)| (site.method, proxy.address(client * count + index));
            (topic, followed.iter().enumerate().map(endpoint).collect())
        });
        let crowd = Crowd::start_on_many(&setting(site.method), clients)?;
        crowds.push((site.method, proxy, crowd));
    }
    for (_, _, crowd) in &crowds {
        crowd.joined().await?;
    }
    sleep(SETTLE).await;

    let publishing = Publishing::start(plan, target, &setting(ROUND[0]), &sites).await?;
    let injure = |injure| crowds.iter().for_each(|(_, proxy, _)| proxy.injure(injure));
    let clients = || crowds.iter().flat_map(|(_, _, crowd)| crowd.progress());
    injure(true);
    publishing.proxy.injure(plan.injure_publishers);
    let shown = plan.progress.then(|| progress::show("replicas", plan.length, clients().collect(), clock));
    let began = Instant::now();
    let shake = async {
        match upheaval.kill_every {
            Some(every) => Ok((0, kill_replicas(plan, every, replicas, &sites, began).await?)),
            None => Ok((shake_replicas(plan, upheaval.replica_restarts, replicas, &sites, began).await?, 0)),
        }
    };
    let (_, (restarted, killed)) = tokio::try_join!(shake_nats(plan, upheaval.nats_restarts, nats, began), shake)?;
    sleep_until(began + plan.length).await;
    injure(false);

    let (published, last) = publishing.finish().await?;
    for (_, _, crowd) in &crowds {
        crowd.caught_up(&last, plan.deadline).await;
    }
    sleep(SETTLE).await;
    let switches = clients().map(|client| client.switches.load(Ordering::Relaxed)).sum();
    drop(shown);

    let trouble = published.trouble;
    let ledger = Ledger::new(published.entries, published.uncertain);
    let mut by_first_method = Vec::new();
    for (method, proxy, crowd) in crowds {
        let score = Score::of(&ledger, &crowd.stop().await?);
        by_first_method.push(Outcome { method, injuries: proxy.injuries(), restarts: 0, tokens: None, score });
    }
    let stored = match &target.history {
        Some(history) if upheaval.kill_every.is_some() && upheaval.long_history => {
            kill_all(replicas).await?;
            let (mut stored, topics) = (Stored::default(), setting(ROUND[0]).topics(plan.topics));
            for replica in &*replicas {
                stored.add(history, replica.address(), &topics, run, &ledger).await?;
            }
            Some(stored)
        }
        _ => None,
    };
    Ok(Shared {
        by_first_method,
        replicas: replicas.len(),
        nats_restarts: upheaval.nats_restarts,
        replica_restarts: restarted,
        killed,
        switches,
        trouble,
        long_history: upheaval.long_history,
        in_a_file: upheaval.in_a_file,
        stored,
    })
}

/// Publishes on any replica until every message is accepted.
struct Publishing {
    proxy: Proxy,
    stop: CancellationToken,
    tasks: JoinSet<anyhow::Result<(Publisher, Published)>>,
}

impl Publishing {
    async fn start(plan: &Plan, target: &Target, setting: &Setting<'_>, sites: &[Site]) -> anyhow::Result<Self> {
        let routes = (0..plan.publishers).flat_map(|_| sites.iter().map(|site| site.addresses.clone()));
        let proxy = Proxy::start(routes, !plan.seed, plan.calm).await.context("the publishers' proxy")?;
        let (numbers, topics) = (Arc::new(AtomicU64::new(1)), setting.topics(plan.topics));
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        for index in 0..plan.publishers {
            let routes = index * sites.len()..(index + 1) * sites.len();
            let publisher = Publisher {
                addresses: routes.map(|route| proxy.address(route)).collect(),
                publish: target.publish.clone(),
                run: setting.run,
                topics: Arc::clone(&topics),
                bytes: plan.bytes,
                clock: setting.clock,
                numbers: Arc::clone(&numbers),
                repeat: true,
                rng: Rng::with_seed(plan.seed.wrapping_add(index as u64)),
                connections: HashMap::new(),
                token: None,
            };
            tasks.spawn(publisher.run(plan.rate / plan.publishers as f64, stop.clone()));
        }
        Ok(Self { proxy, stop, tasks })
    }

    /// Returns the published messages, and the number of each topic's last message.
    async fn finish(mut self) -> anyhow::Result<(Published, Vec<u64>)> {
        self.proxy.injure(false);
        self.stop.cancel();
        let finishing = async {
            let (mut published, mut publisher) = (Published::default(), None);
            while let Some(done) = self.tasks.join_next().await {
                let (done, part) = done.context("a publisher panicked")?.context("publishing")?;
                published.add(part);
                publisher = Some(done);
            }
            let last = publisher.context("a run needs a publisher")?.finish(&mut published).await?;
            Ok((published, last))
        };
        timeout(TAKEN, finishing).await.context("the last publications were not accepted in time")?
    }
}

/// Kills NATS and starts it again, so many times within the run.
async fn shake_nats(plan: &Plan, times: u32, nats: Option<&mut Nats>, began: Instant) -> anyhow::Result<()> {
    let Some(nats) = nats else { return Ok(()) };
    let mut rng = Rng::with_seed(plan.seed);
    for turn in 1..=times {
        sleep_until(began + plan.length * turn / (times + 1)).await;
        nats.kill_and_start(Duration::from_millis(rng.u64(AWAY))).await?;
    }
    Ok(())
}

/// Restarts so many replicas of each service within the run. Returns their number.
async fn shake_replicas(
    plan: &Plan,
    times: u32,
    replicas: &mut [Box<dyn Replica>],
    sites: &[Site],
    began: Instant,
) -> anyhow::Result<u32> {
    let mut restarted = 0;
    for turn in 0..times {
        sleep_until(began + plan.length * (2 * turn + 1) / (2 * times)).await;
        for Site { method, addresses } in sites {
            let mut of_the_site: Vec<_> = replicas.iter_mut().filter(|replica| replica.method() == *method).collect();
            let place = turn as usize % of_the_site.len();
            let replica = &mut of_the_site[place];
            replica.restart().await.with_context(|| format!("restarting a replica for {}", method.name()))?;
            addresses.moved(place, replica.address());
            restarted += 1;
        }
    }
    Ok(restarted)
}
