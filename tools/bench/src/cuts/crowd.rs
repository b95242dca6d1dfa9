//! Many clients at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, bail};
use fastrand::Rng;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::client::{Client, Endpoint, Notes};
use super::events::{Clock, Event, Progress};
use super::issuer::Issuer;
use super::score::Record;
use crate::target::{Form, Method, Target};

/// The longest time until all clients have their first connection.
const JOIN: Duration = Duration::from_secs(60);

/// The interval at which the clients' progress is checked.
pub(crate) const CHECK_INTERVAL: Duration = Duration::from_millis(10);

/// The settings that all clients of a run share.
#[derive(Debug, Clone)]
pub(crate) struct Setting<'a> {
    pub(crate) target: &'a Target,
    pub(crate) method: Method,
    pub(crate) heartbeat: Duration,
    pub(crate) clock: Clock,
    /// Distinguishes this run's messages and topics from all others.
    pub(crate) run: u32,
    /// Signs the clients' tokens. Absent where the server is open.
    pub(crate) issuer: Option<Arc<Issuer>>,
}

impl Setting<'_> {
    /// The topics of the run.
    pub(crate) fn topics(&self, count: usize) -> Arc<[String]> {
        (0..count).map(|index| format!("{}.{index}", self.prefix())).collect()
    }

    fn prefix(&self) -> String {
        format!("bench-{:08x}", self.run)
    }

    /// The value for `{topic}` in a path, for a topic or for all of them (`None`).
    pub(crate) fn topic(&self, index: Option<usize>) -> String {
        match (index, &self.target.wildcard) {
            (Some(index), _) => format!("{}.{index}", self.prefix()),
            (None, Some(wildcard)) => wildcard.replace("{run}", &self.prefix()),
            (None, None) => self.prefix(),
        }
    }
}

/// Clients that are running.
#[derive(Debug)]
pub(crate) struct Crowd {
    members: Vec<Member>,
    /// The server gives clients a position before their first message.
    positions: bool,
    away: watch::Sender<bool>,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Member {
    topic: Option<usize>,
    progress: Arc<Progress>,
    task: JoinHandle<Vec<Event>>,
}

impl Crowd {
    /// Starts clients, each with the topic that it follows (`None`: all) and the address to which it connects.
    pub(crate) fn start(
        setting: &Setting<'_>,
        places: impl IntoIterator<Item = (Option<usize>, SocketAddr)>,
    ) -> anyhow::Result<Self> {
        let one = |(topic, address)| (topic, vec![(setting.method, address)]);
        Self::start_on_many(setting, places.into_iter().map(one))
    }

    /// As [`Crowd::start`], for clients that have several endpoints. They begin with the first.
    pub(crate) fn start_on_many(
        setting: &Setting<'_>,
        places: impl IntoIterator<Item = (Option<usize>, Vec<(Method, SocketAddr)>)>,
    ) -> anyhow::Result<Self> {
        let stop = CancellationToken::new();
        let (away, watched) = watch::channel(false);
        let first = setting.target.route(setting.method)?;
        let mut members = Vec::new();
        for (index, (topic, endpoints)) in places.into_iter().enumerate() {
            let endpoints = endpoints.into_iter().map(|(method, address)| {
                Ok(Endpoint {
                    method,
                    route: setting.target.route(method)?.clone(),
                    address,
                    topic: setting.topic(topic),
                    wait: Duration::from_secs((setting.heartbeat.as_secs_f64() * 2.0).ceil() as u64),
                    idle: setting.heartbeat.mul_f64(2.5),
                    issuer: setting.issuer.clone(),
                })
            });
            let rng = Rng::with_seed(index as u64);
            let client = Client { endpoints: endpoints.collect::<anyhow::Result<_>>()?, rng };
            let progress = Arc::new(Progress::default());
            let notes = Notes::new(first, setting.run, setting.clock, Arc::clone(&progress));
            let task = tokio::spawn(client.run(notes, watched.clone(), stop.clone()));
            members.push(Member { topic, progress, task });
        }
        Ok(Self { members, positions: first.form == Form::Push, away, stop })
    }

    /// Waits until every client has its first position, or its first connection where the server gives no positions.
    pub(crate) async fn joined(&self) -> anyhow::Result<()> {
        let joined = |member: &Member| member.progress.joined.load(Ordering::Relaxed);
        if !self.wait(JOIN, joined).await {
            let (served, all) = (self.members.iter().filter(|member| joined(member)).count(), self.members.len());
            let left_out = self.members.iter().find(|member| !joined(member));
            let failure = left_out.and_then(|member| Some(member.progress.failure.lock().ok()?.clone()));
            bail!("{served} of {all} clients were connected within {JOIN:?}: {}", failure.unwrap_or_default());
        }
        Ok(())
    }

    /// Waits until every client has a cursor to resume from: where the server gives no positions, its first message.
    pub(crate) async fn placed(&self, deadline: Duration) {
        if !self.positions {
            self.wait(deadline, |member| member.progress.received.load(Ordering::Relaxed) > 0).await;
        }
    }

    /// Waits until every client has received the last message of its topics. `last` are the numbers of these messages by
    /// topic.
    pub(crate) async fn caught_up(&self, last: &[u64], deadline: Duration) -> bool {
        let newest = last.iter().copied().max().unwrap_or_default();
        self.wait(deadline, |member| {
            let due = member.topic.map_or(newest, |topic| last[topic]);
            member.progress.newest.load(Ordering::Relaxed) >= due
        })
        .await
    }

    async fn wait(&self, deadline: Duration, done: impl Fn(&Member) -> bool) -> bool {
        let end = Instant::now() + deadline;
        loop {
            if self.members.iter().all(&done) {
                return true;
            }
            if Instant::now() >= end {
                return false;
            }
            sleep(CHECK_INTERVAL).await;
        }
    }

    /// Cuts all connections at once, or lets all clients reconnect at once.
    pub(crate) fn send_away(&self, away: bool) {
        self.away.send_replace(away);
    }

    /// The clients' counters.
    pub(crate) fn progress(&self) -> Vec<Arc<Progress>> {
        self.members.iter().map(|member| Arc::clone(&member.progress)).collect()
    }

    /// Stops all clients and returns their records.
    pub(crate) async fn stop(self) -> anyhow::Result<Vec<Record>> {
        self.stop.cancel();
        let mut records = Vec::with_capacity(self.members.len());
        for member in self.members {
            let events = member.task.await.context("a client panicked")?;
            records.push(Record { topic: member.topic, events });
        }
        Ok(records)
    }
}
