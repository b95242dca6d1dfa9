//! All clients are cut at once and reconnect at once, while some stay.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::{Context, ensure};
use fastrand::Rng;
use serde::Serialize;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::crowd::{Crowd, Setting};
use super::events::{Clock, Event};
use super::ledger::Ledger;
use super::publisher::{Published, Publisher};
use super::run::{Plan, Server};
use super::score::{Record, Score};
use crate::stats::Percentiles;
use crate::target::{Method, Target};

/// The topic of the clients that stay, on which messages never cease, and the topic of the clients that are cut.
const STAY: usize = 0;
const CUT: usize = 1;

/// The number of clients that stay.
const STAYERS: usize = 100;

/// The number of messages that are published while clients are cut.
const MISSED: usize = 20;

/// The time for which live delivery is measured before and after.
const CALM: Duration = Duration::from_secs(5);

/// The time for which the cut clients stay away.
const AWAY: Duration = Duration::from_millis(500);

/// The results of a storm. Times are in microseconds.
#[derive(Debug, Clone, Serialize)]
pub struct Storm {
    /// The method of the clients.
    pub method: Method,
    /// From letting them reconnect until the last one had received everything that it missed.
    pub all_back: Option<u64>,
    /// The same for each client, from the beginning of its new connection.
    pub back: Percentiles,
    /// The delay of live delivery to the clients that stayed, before the storm.
    pub delay_before: Percentiles,
    /// The same, while the others reconnected.
    pub delay_during: Percentiles,
    /// The score of the clients that were cut.
    pub cut: Score,
    /// The score of the clients that stayed.
    pub stayed: Score,
}

impl Storm {
    /// Returns whether all clients came back, and none lost anything.
    pub fn is_clean(&self) -> bool {
        self.all_back.is_some() && self.cut.is_clean() && self.stayed.is_clean()
    }
}

/// Raises a storm of `count` clients.
///
/// # Errors
/// Fails when clients cannot connect, or publishing is refused.
pub async fn storm(
    plan: &Plan,
    count: usize,
    target: &Target,
    method: Method,
    server: &Server,
) -> anyhow::Result<Storm> {
    ensure!(target.has_topics(), "a storm needs a server with topics");
    let setting = Setting {
        target,
        method,
        heartbeat: plan.heartbeat,
        clock: Clock::start(),
        run: fastrand::u32(..),
        issuer: None,
    };
    let (address, clock) = (server.address(), setting.clock);
    let stayers = Crowd::start(&setting, (0..STAYERS).map(|_| (Some(STAY), address)))?;
    let crowd = Crowd::start(&setting, (0..count).map(|_| (Some(CUT), address)))?;
    stayers.joined().await?;
    crowd.joined().await?;

    let numbers = Arc::new(AtomicU64::new(1));
    let topics = setting.topics(2);
    let publisher = |topics: Arc<[String]>| Publisher {
        addresses: vec![address],
        publish: target.publish.clone(),
        run: setting.run,
        topics,
        bytes: plan.bytes,
        clock,
        numbers: Arc::clone(&numbers),
        repeat: false,
        rng: Rng::with_seed(plan.seed),
        connections: HashMap::new(),
        token: None,
    };
    let stop = CancellationToken::new();
    let live = tokio::spawn(publisher([topics[STAY].clone()].into()).run(plan.rate, stop.clone()));
    sleep(CALM).await;

    let cut_at = clock.now();
    crowd.send_away(true);
    sleep(AWAY).await;
    let mut publisher = publisher(topics);
    let mut missed = Published::default();
    for _ in 0..MISSED {
        publisher.one(CUT, &mut missed).await?;
    }
    let last_missed = missed.entries.last().context("nothing was published")?.number;
    let let_back = clock.now();
    crowd.send_away(false);
    let all_back = crowd.caught_up(&[0, last_missed], plan.deadline).await.then(|| clock.now() - let_back);
    let back_at = clock.now();
    sleep(CALM).await;

    stop.cancel();
    let (_, mut published) = live.await.context("the publisher panicked")??;
    published.entries.extend(missed.entries);
    let last = publisher.finish(&mut published).await?;
    stayers.caught_up(&last, plan.deadline).await;
    crowd.caught_up(&last, plan.deadline).await;
    let (stayed, cut) = (stayers.stop().await?, crowd.stop().await?);
    let ledger = Ledger::new(published.entries, published.uncertain);
    let score = Score::of(&ledger, &cut);
    Ok(Storm {
        method,
        all_back,
        back: score.catch_up,
        delay_before: delays(&ledger, &stayed, 0..cut_at),
        delay_during: delays(&ledger, &stayed, let_back..back_at),
        cut: score,
        stayed: Score::of(&ledger, &stayed),
    })
}

/// The delays of messages that were sent within a time.
fn delays(ledger: &Ledger, records: &[Record], within: std::ops::Range<u64>) -> Percentiles {
    let events = records.iter().flat_map(|record| &record.events);
    let delays = events.filter_map(|event| match event {
        Event::Message { number, at } => {
            let sent = ledger.entries()[ledger.index_of(*number)?].sent;
            within.contains(&sent).then(|| at.saturating_sub(sent))
        }
        _ => None,
    });
    Percentiles::of(delays.collect())
}
