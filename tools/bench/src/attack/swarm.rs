//! The attackers, in a thread of their own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::ground::Ground;
use super::kind::Kind;
use super::site::Site;
use super::toll::Toll;
use crate::target::Method;

/// The time until an attacker that was cut off comes back.
const PAUSE: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(super) struct Swarm {
    ground: Arc<Ground>,
    stop: oneshot::Sender<()>,
    thread: thread::JoinHandle<()>,
}

impl Swarm {
    /// Begins an attack.
    pub(super) fn start(
        kind: Kind,
        attackers: usize,
        address: SocketAddr,
        method: Method,
        site: &Arc<Site>,
    ) -> anyhow::Result<Self> {
        let site = Arc::clone(site);
        let ground = Arc::new(Ground { address, method, site, toll: Toll::default() });
        let runtime = runtime::Builder::new_current_thread().enable_all().build().context("a runtime for attackers")?;
        let (stop, stopped) = oneshot::channel();
        let field = Arc::clone(&ground);
        let thread = thread::spawn(move || {
            runtime.block_on(async move {
                let mut attackers: JoinSet<()> =
                    (0..attackers).map(|index| attacker(kind, Arc::clone(&field), index)).collect();
                // An error means that the swarm was dropped.
                let _ = stopped.await;
                attackers.shutdown().await;
            });
        });
        Ok(Self { ground, stop, thread })
    }

    /// The requests that were served until now.
    pub(super) fn served(&self) -> u64 {
        self.ground.toll.served()
    }

    /// Ends the attack: all its connections are reset. Returns what it was answered.
    pub(super) fn stop(self) -> anyhow::Result<Arc<Ground>> {
        // An error means that the thread has panicked, which is reported below.
        let _ = self.stop.send(());
        self.thread.join().map_err(|_| anyhow!("the attackers panicked"))?;
        Ok(self.ground)
    }
}

async fn attacker(kind: Kind, ground: Arc<Ground>, index: usize) {
    loop {
        // To be cut off or refused is what an attacker expects.
        let _ = kind.live(&ground, index).await;
        sleep(PAUSE).await;
    }
}
