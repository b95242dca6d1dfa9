//! A NATS server as a process, and where its program is.

use std::env;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::process::Process;

/// Ports that systems do not give to outgoing connections by themselves: one of those may be in use when a server
/// that was killed wants its port back.
const PORTS: std::ops::Range<u16> = 10_000..32_000;

/// The number of ports that are tried.
const ATTEMPTS: usize = 5;

/// A NATS server with JetStream. Killed when dropped, as by `kill -9`.
#[derive(Debug)]
pub struct NatsProcess {
    process: Process,
    port: u16,
}

impl NatsProcess {
    /// Starts a server that keeps its streams in the folder `store`, on a port or on one that is free, and waits until it
    /// is ready.
    ///
    /// # Errors
    /// When nats-server is not installed or does not start.
    pub async fn start(store: &Path, port: Option<u16>, flags: &[String]) -> anyhow::Result<Self> {
        let program = program()?;
        let mut error = None;
        for _ in 0..ATTEMPTS {
            let port = match port {
                Some(port) => port,
                None => free_port()?,
            };
            match Self::start_at(&program, store, port, flags).await {
                Ok(started) => return Ok(started),
                Err(failed) => error = Some(failed),
            }
        }
        Err(error.context("it was never tried")?)
    }

    async fn start_at(program: &Path, store: &Path, port: u16, flags: &[String]) -> anyhow::Result<Self> {
        let (program, store, listen) = (program.display(), store.display().to_string(), port.to_string());
        let mut args = vec!["-js", "-a", "127.0.0.1", "-p", &listen, "-sd", &store];
        args.extend(flags.iter().map(String::as_str));
        let mut process = Process::start(&program.to_string(), &args);
        process.try_line_with("Server is ready").await.with_context(|| format!("starting {program}"))?;
        Ok(Self { process, port })
    }

    /// Returns the port on which it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns its URL.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Returns its process.
    pub fn process(&self) -> &Process {
        &self.process
    }
}

fn free_port() -> anyhow::Result<u16> {
    for _ in 0..1000 {
        let port = fastrand::u16(PORTS);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("there is no free port between {} and {}", PORTS.start, PORTS.end)
}

/// Returns the program that NATS_SERVER names, or the one that is installed: by the system, or by `cargo xtask test`.
fn program() -> anyhow::Result<PathBuf> {
    if let Some(named) = env::var_os("NATS_SERVER").filter(|named| !named.is_empty()) {
        return Ok(named.into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let here = env::current_exe().context("the path of this program")?;
    // This program lies in target/debug, a test in target/debug/deps.
    let targets = here.ancestors().skip(2).take(2).map(|target| target.join("nats-server/bin"));
    let mut folders = env::split_paths(&path).chain(targets);
    folders
        .find_map(|folder| Some(folder.join("nats-server")).filter(|program| program.is_file()))
        .context("nats-server is not installed: run `cargo xtask test`, or name it in NATS_SERVER")
}
