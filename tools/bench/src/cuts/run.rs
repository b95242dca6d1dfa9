//! One run: a server, a bad network, clients, publishers, and the score.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use fastrand::Rng;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::balancer::Addresses;
use super::crowd::{Crowd, Setting};
use super::events::{Clock, Progress};
use super::issuer::Issuer;
use super::ledger::{Entry, Ledger};
use super::progress;
use super::proxy::{Injuries, Proxy};
use super::publisher::{Published, Publisher};
use super::score::Score;
use super::stalled::Stalled;
use crate::service::Service;
use crate::target::{Method, Target};

/// The time for which late repeats are waited for once all clients have received everything; also, before the first
/// message, the time until a poll is held.
pub(crate) const SETTLE: Duration = Duration::from_millis(500);

/// One of so many clients follows all topics, where the server has wildcards.
pub(crate) const FOLLOWS_ALL: usize = 4;

/// The plan of a run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The number of clients.
    pub clients: usize,
    /// The time for which messages are published and connections injured.
    pub length: Duration,
    /// The seed of the injuries and of the topics of messages.
    pub seed: u64,
    /// Messages per second.
    pub rate: f64,
    /// The number of topics.
    pub topics: usize,
    /// The number of publishers.
    pub publishers: usize,
    /// The length of a message.
    pub bytes: usize,
    /// The mean time between injuries of a connection. `None`: nothing is injured, and there is no proxy.
    pub calm: Option<Duration>,
    /// The server's heartbeat.
    pub heartbeat: Duration,
    /// The longest time for clients to catch up at the end.
    pub deadline: Duration,
    /// Publishers, too, pass through the proxy. They repeat unanswered messages under the same idempotency key.
    pub injure_publishers: bool,
    /// The interval at which the server is restarted.
    pub restart_every: Option<Duration>,
    /// The number of additional subscribers that never read.
    pub stalled: usize,
    /// Show the progress on standard error.
    pub progress: bool,
    /// Signs the tokens of clients and publishers. Absent where the server is open.
    pub issuer: Option<Arc<Issuer>>,
}

/// The server of a run.
#[derive(Debug)]
pub enum Server {
    /// Started elsewhere.
    At(SocketAddr),
    /// Started for the run.
    Started(Box<Service>),
}

impl Server {
    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        match self {
            Self::At(address) => *address,
            Self::Started(service) => service.address(),
        }
    }
}

/// The results of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// The method of the clients.
    pub method: Method,
    /// The injuries of connections.
    pub injuries: Injuries,
    /// The number of restarts of the server.
    pub restarts: u64,
    /// The fate of the clients' tokens.
    pub tokens: Option<Tokens>,
    /// The judgement.
    #[serde(flatten)]
    pub score: Score,
}

/// The longest time for which a client may receive messages after its token has ended.
const GRACE: u64 = 1_000_000;

/// The tokens of all clients.
#[derive(Debug, Clone, Serialize)]
pub struct Tokens {
    /// Those that have ended in good order, or made place for another one.
    pub renewed: u64,
    /// The longest time after the end of a token at which a message was published that its client received, in microseconds. The time
    /// for which it was under way does not count: the bad network holds back what the service has sent in time.
    pub longest_after: u64,
}

impl Tokens {
    fn of(clients: &[Arc<Progress>], published: &[Entry]) -> Self {
        let renewed = clients.iter().map(|client| client.renewed.load(Ordering::Relaxed)).sum();
        let sent: HashMap<u64, u64> = published.iter().map(|entry| (entry.number, entry.sent)).collect();
        let received = clients.iter().filter_map(|client| Some(client.after_token.lock().ok()?.clone())).flatten();
        let after = received.filter_map(|(number, until)| sent.get(&number)?.checked_sub(until));
        Self { renewed, longest_after: after.max().unwrap_or_default() }
    }
}

impl Outcome {
    /// Returns whether the promise was kept. No client receives messages long after its token has ended, and every restart has to be reported to every client.
    pub fn is_clean(&self) -> bool {
        self.score.is_clean()
            && self.restarts_reported()
            && self.tokens.as_ref().is_none_or(|tokens| tokens.longest_after <= GRACE)
    }

    /// Returns whether every restart was reported to every client.
    pub fn restarts_reported(&self) -> bool {
        self.score.epochs_passed == self.restarts * self.score.clients
    }
}

/// Runs a plan against a server.
///
/// # Errors
/// Fails when the run cannot be made: clients cannot connect, or publishing is refused. Losses are no error.
pub async fn measure(plan: &Plan, target: &Target, method: Method, server: &mut Server) -> anyhow::Result<Outcome> {
    let (clock, run, issuer) = (Clock::start(), fastrand::u32(..), plan.issuer.clone());
    let setting = Setting { target, method, heartbeat: plan.heartbeat, clock, run, issuer };
    let topics = if target.has_topics() { plan.topics } else { 1 };
    let address = server.address();
    let proxy = match plan.calm {
        Some(calm) => {
            // One more route for each publisher.
            let routes = std::iter::repeat_n(Addresses::from(address), plan.clients + plan.publishers);
            Some(Proxy::start(routes, plan.seed, Some(calm)).await.context("the proxy")?)
        }
        None => None,
    };
    let address_for = |index: usize| proxy.as_ref().map_or(address, |proxy| proxy.address(index));

    let topic = |client: usize| match target.wildcard {
        Some(_) if client % FOLLOWS_ALL == FOLLOWS_ALL - 1 => None,
        _ => Some(client % topics),
    };
    let crowd = Crowd::start(&setting, (0..plan.clients).map(|client| (topic(client), address_for(client))))?;
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
            addresses: vec![if plan.injure_publishers { address_for(plan.clients + index) } else { address }],
            publish: target.publish.clone(),
            run: setting.run,
            topics: Arc::clone(&names),
            bytes: plan.bytes,
            clock: setting.clock,
            numbers: Arc::clone(&numbers),
            repeat: plan.injure_publishers,
            rng: Rng::with_seed(plan.seed.wrapping_add(index as u64)),
            connections: HashMap::new(),
            token: plan.issuer.as_ref().map(|issuer| issuer.publisher()),
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
        let (done, part) = done.context("a publisher panicked")?.context("publishing")?;
        published.add(part);
        publisher = Some(done);
    }
    let last = publisher.context("a run needs a publisher")?.finish(&mut published).await?;
    crowd.caught_up(&last, plan.deadline).await;
    sleep(SETTLE).await;
    drop((progress, stalled));

    let tokens = plan.issuer.as_ref().map(|_| Tokens::of(&crowd.progress(), &published.entries));
    let records = crowd.stop().await?;
    let injuries = proxy.map(|proxy| proxy.injuries()).unwrap_or_default();
    let ledger = Ledger::new(published.entries, published.uncertain);
    Ok(Outcome { method, injuries, restarts, tokens, score: Score::of(&ledger, &records) })
}

fn injure(proxy: Option<&Proxy>, injure: bool) {
    if let Some(proxy) = proxy {
        proxy.injure(injure);
    }
}

/// Waits for the length of the run, and restarts the server meanwhile. Returns the number of restarts.
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
