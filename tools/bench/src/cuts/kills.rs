//! Replicas that are killed, all of them or some at the same time.

use std::time::Duration;

use anyhow::{Context, ensure};
use fastrand::Rng;
use futures_util::future::try_join_all;
use tokio::time::{Instant, sleep, sleep_until};

use super::replica::{AWAY, Replica, Site};
use super::run::Plan;
use crate::service::is_ready;

/// The longest time until a replica is ready.
const READY: Duration = Duration::from_secs(30);

/// The pause before a replica is asked again whether it is ready.
const PAUSE: Duration = Duration::from_millis(20);

/// Kills replicas with an interval until the run is over: all at once, then a random half of them, and so on. Returns the number
/// of processes that were killed.
pub(super) async fn kill_replicas(
    plan: &Plan,
    every: Duration,
    replicas: &mut [Box<dyn Replica>],
    sites: &[Site],
    began: Instant,
) -> anyhow::Result<u32> {
    let mut rng = Rng::with_seed(plan.seed);
    let mut killed = 0;
    for turn in (1..).take_while(|&turn| every * turn < plan.length) {
        sleep_until(began + every * turn).await;
        let mut chosen: Vec<_> = replicas.iter_mut().filter(|_| turn % 2 == 1 || rng.bool()).collect();
        kill_and_start(&mut chosen, Duration::from_millis(rng.u64(AWAY))).await?;
        killed += chosen.len() as u32;
        Site::moved(sites, replicas);
    }
    Ok(killed)
}

/// Kills all replicas at once, and waits until all are ready again.
pub(super) async fn kill_all(replicas: &mut [Box<dyn Replica>]) -> anyhow::Result<()> {
    kill_and_start(&mut replicas.iter_mut().collect::<Vec<_>>(), Duration::ZERO).await?;
    for replica in replicas {
        let asked = Instant::now();
        while !is_ready(replica.address()).await {
            ensure!(asked.elapsed() < READY, "a replica for {} is not ready", replica.method().name());
            sleep(PAUSE).await;
        }
    }
    Ok(())
}

async fn kill_and_start(replicas: &mut [&mut Box<dyn Replica>], away: Duration) -> anyhow::Result<()> {
    for replica in &mut *replicas {
        replica.kill().with_context(|| format!("killing a replica for {}", replica.method().name()))?;
    }
    sleep(away).await;
    try_join_all(replicas.iter_mut().map(|replica| async {
        let method = replica.method().name();
        replica.start().await.with_context(|| format!("starting a replica for {method} that was killed"))
    }))
    .await?;
    Ok(())
}
