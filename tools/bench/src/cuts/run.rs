//! One run: a server, a bad network, clients, publishers, and the score.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::Context;
use fastrand::Rng;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::balancer::Places;
use super::crowd::{Crowd, Setting};
use super::events::Clock;
use super::ledger::Ledger;
use super::progress;
use super::proxy::{Injuries, Proxy};
use super::publisher::{Published, Publisher};
use super::score::Score;
use super::stalled::Stalled;
use crate::service::Service;
use crate::target::{Method, Target};

/// How long late repeats are waited for once all clients have everything; also, before the first message, how long a
/// poll takes to be held.
pub(crate) const SETTLE: Duration = Duration::from_millis(500);

/// One of so many clients follows all topics, where the server has wildcards.
pub(crate) const FOLLOWS_ALL: usize = 4;

/// What is done in a run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How many clients.
    pub clients: usize,
    /// How long messages are published and connections injured.
    pub length: Duration,
    /// Decides the injuries and the topics of messages.
    pub seed: u64,
    /// Messages a second.
    pub rate: f64,
    /// How many topics they are spread over.
    pub topics: usize,
    /// How many publish at a time.
    pub publishers: usize,
    /// The length of a message.
    pub bytes: usize,
    /// The mean time between injuries of a connection. `None`: nothing is injured, and there is no proxy.
    pub calm: Option<Duration>,
    /// The server's heartbeat.
    pub heartbeat: Duration,
    /// How long clients may take to catch up in the end.
    pub deadline: Duration,
    /// Whether publishers, too, pass the proxy. They repeat what was not answered, under the same idempotency key.
    pub injure_publishers: bool,
    /// How often the server is restarted.
    pub restart_every: Option<Duration>,
    /// How many more subscribers there are that never read.
    pub stalled: usize,
    /// Whether to say on standard error how it goes.
    pub progress: bool,
}

/// Where the server is.
#[derive(Debug)]
pub enum Server {
    /// Started elsewhere.
    At(SocketAddr),
    /// Started for the run.
    Started(Box<Service>),
}

impl Server {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        match self {
            Self::At(address) => *address,
            Self::Started(service) => service.address(),
        }
    }
}

/// What came of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// How the clients followed.
    pub method: Method,
    /// What was done to connections.
    pub injuries: Injuries,
    /// How often the server was restarted.
    pub restarts: u64,
    /// The judgement.
    #[serde(flatten)]
    pub score: Score,
}

impl Outcome {
    /// Whether the promise was kept. After restarts, every client has to have been told of each of them.
    pub fn is_clean(&self) -> bool {
        self.score.is_clean() && self.restarts_told()
    }

    /// Whether every client was told of every restart.
    pub fn restarts_told(&self) -> bool {
        self.score.epochs_passed == self.restarts * self.score.clients
    }
}

/// Runs a plan against a server.
///
/// # Errors
/// When the run cannot be made: no clients get through, or publishing is refused. Losses are no error.
pub async fn measure(plan: &Plan, target: &Target, method: Method, server: &mut Server) -> anyhow::Result<Outcome> {
    let setting = Setting { target, method, heartbeat: plan.heartbeat, clock: Clock::start(), run: fastrand::u32(..) };
    let topics = if target.has_topics() { plan.topics } else { 1 };
    let address = server.address();
    let proxy = match plan.calm {
        Some(calm) => {
            // One more road for each publisher.
            let roads = std::iter::repeat_n(Places::from(address), plan.clients + plan.publishers);
            Some(Proxy::start(roads, plan.seed, Some(calm)).await.context("the proxy")?)
        }
        None => None,
    };
    let road = |index: usize| proxy.as_ref().map_or(address, |proxy| proxy.address(index));

    let topic = |client: usize| match target.wildcard {
        Some(_) if client % FOLLOWS_ALL == FOLLOWS_ALL - 1 => None,
        _ => Some(client % topics),
    };
    let crowd = Crowd::start(&setting, (0..plan.clients).map(|client| (topic(client), road(client))))?;
    crowd.joined().await?;
    let route = target.route(method)?;
    let stalled = Stalled::start(plan.stalled, method, route, &setting.topic(topic(FOLLOWS_ALL - 1)), address);
    sleep(SETTLE).await;

    let names = setting.topics(topics);
    let numbers = Arc::new(AtomicU64::new(1));
    let stop = CancellationToken::new();
    let mut publishing = JoinSet::new();
    for index in 0..plan.publishers {
        let publisher = Publisher {
            addresses: vec![if plan.injure_publishers { road(plan.clients + index) } else { address }],
            publish: target.publish.clone(),
            run: setting.run,
            topics: Arc::clone(&names),
            bytes: plan.bytes,
            clock: setting.clock,
            numbers: Arc::clone(&numbers),
            repeat: plan.injure_publishers,
            rng: Rng::with_seed(plan.seed.wrapping_add(index as u64)),
            connections: HashMap::new(),
        };
        publishing.spawn(publisher.run(plan.rate / plan.publishers as f64, stop.clone()));
    }
    crowd.placed(plan.deadline).await;
    injure(proxy.as_ref(), true);
    let progress = plan.progress.then(|| progress::show(method.name(), plan.length, crowd.progress(), setting.clock));
    let restarts = last_out(plan, server).await?;
    injure(proxy.as_ref(), false);
    stop.cancel();

    let mut published = Published::default();
    let mut publisher = None;
    while let Some(done) = publishing.join_next().await {
        let (done, part) = done.context("a publisher broke")?.context("publishing")?;
        published.add(part);
        publisher = Some(done);
    }
    let last = publisher.context("a run needs a publisher")?.finish(&mut published).await?;
    crowd.caught_up(&last, plan.deadline).await;
    sleep(SETTLE).await;
    drop((progress, stalled));

    let records = crowd.stop().await?;
    let injuries = proxy.map(|proxy| proxy.injuries()).unwrap_or_default();
    let ledger = Ledger::new(published.entries, published.uncertain);
    Ok(Outcome { method, injuries, restarts, score: Score::of(&ledger, &records) })
}

fn injure(proxy: Option<&Proxy>, injure: bool) {
    if let Some(proxy) = proxy {
        proxy.injure(injure);
    }
}

/// Waits for the length of the run, and restarts the server meanwhile. Returns how often.
async fn last_out(plan: &Plan, server: &mut Server) -> anyhow::Result<u64> {
    let end = Instant::now() + plan.length;
    let mut restarts = 0;
    if let (Some(every), Server::Started(service)) = (plan.restart_every, server) {
        while Instant::now() + every < end {
            sleep(every).await;
            service.restart().await.context("restarting the server")?;
            restarts += 1;
        }
    }
    sleep_until(end).await;
    Ok(restarts)
}
