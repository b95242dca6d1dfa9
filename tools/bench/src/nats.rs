//! A NATS server that is started for a measurement, with a history that services share.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use testkit::NatsProcess;
use tokio::time::sleep;

/// A NATS server with JetStream and a store of its own. When dropped, it is killed and its store removed.
#[derive(Debug)]
pub struct Nats {
    /// `None` while it is down.
    process: Option<NatsProcess>,
    port: u16,
    store: PathBuf,
}

impl Nats {
    /// Starts it with an empty store.
    ///
    /// # Errors
    /// Fails when nats-server is not installed or does not start.
    pub async fn start() -> anyhow::Result<Self> {
        let store = std::env::temp_dir().join(format!("bench-nats-{}-{:08x}", std::process::id(), fastrand::u32(..)));
        let process = NatsProcess::start(&store, None, &[]).await?;
        Ok(Self { port: process.port(), process: Some(process), store })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Kills it, as `kill -9` does, and starts it again on the same port, with what it had stored.
    ///
    /// # Errors
    /// Fails when it does not start.
    pub async fn kill_and_start(&mut self, away: Duration) -> anyhow::Result<()> {
        self.process = None;
        sleep(away).await;
        let process = NatsProcess::start(&self.store, Some(self.port), &[]).await;
        self.process = Some(process.context("starting NATS again")?);
        Ok(())
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.process = None;
        // A folder that remains is untidy, not wrong.
        let _ = fs::remove_dir_all(&self.store);
    }
}
