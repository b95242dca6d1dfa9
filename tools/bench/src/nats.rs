//! A NATS server that is started for a measurement, with a history that services share.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use testkit::NatsProcess;
use tokio::time::sleep;

use crate::folder::Folder;
use crate::process::Process;

/// The time at which NATS syncs a message to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// Within two minutes, after it is confirmed: the default of NATS.
    Later,
    /// Before it is confirmed: `sync_interval: always`.
    Always,
}

/// A NATS server with JetStream and a store of its own. When dropped, it is killed and its store removed.
#[derive(Debug)]
pub struct Nats {
    /// `None` while it is down.
    process: Option<NatsProcess>,
    port: u16,
    flags: Vec<String>,
    folder: Folder,
}

impl Nats {
    /// Starts it with an empty store, and with the settings that NATS has by default.
    ///
    /// # Errors
    /// Fails when nats-server is not installed or does not start.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(Sync::Later).await
    }

    /// Starts it with an empty store.
    ///
    /// # Errors
    /// Fails when nats-server is not installed or does not start.
    pub async fn start_with(sync: Sync) -> anyhow::Result<Self> {
        let folder = Folder::new("nats")?;
        let mut flags = Vec::new();
        if sync == Sync::Always {
            let config = folder.path().join("nats.conf");
            fs::write(&config, "jetstream { sync_interval: always }\n").context("writing the configuration of NATS")?;
            flags = vec!["-c".to_owned(), config.display().to_string()];
        }
        let process = NatsProcess::start(&folder.path().join("store"), None, &flags).await?;
        Ok(Self { port: process.port(), process: Some(process), flags, folder })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The port on which it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its process.
    ///
    /// # Errors
    /// Fails while it is down.
    pub(crate) fn process(&self) -> anyhow::Result<Process> {
        let process = self.process.as_ref().context("NATS is down")?;
        Ok(Process::new(u32::try_from(process.process().id())?))
    }

    /// Kills it, as `kill -9` does, and starts it again on the same port, with what it had stored.
    ///
    /// # Errors
    /// Fails when it does not start.
    pub async fn kill_and_start(&mut self, away: Duration) -> anyhow::Result<()> {
        self.process = None;
        sleep(away).await;
        let process = NatsProcess::start(&self.folder.path().join("store"), Some(self.port), &self.flags).await;
        self.process = Some(process.context("starting NATS again")?);
        Ok(())
    }
}
