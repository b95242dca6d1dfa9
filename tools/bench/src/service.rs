//! A server's process, from its start until it has been stopped.

use std::collections::VecDeque;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::http::Connection;
use crate::process::Process;
use crate::target::{Method, Target};

/// The longest time for a server to start.
const START: Duration = Duration::from_secs(20);

/// The longest time for it to stop after its drain window.
const STOP: Duration = Duration::from_secs(30);

/// The interval at which readiness is checked.
const CHECK_INTERVAL: Duration = Duration::from_millis(5);

/// The number of lines of its output that are kept, to be shown if it ends by itself.
const KEPT_LINES: usize = 20;

/// A running server. If it is dropped before it is stopped, it is killed.
#[derive(Debug)]
pub struct Service {
    start: Start,
    child: Child,
    address: SocketAddr,
    output: Lines,
    /// `true`: its log is not read, so that the pipe fills.
    log_unread: watch::Sender<bool>,
}

/// Times for a server, where its description has a placeholder for them. In whole seconds.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The interval of heartbeats.
    pub heartbeat: Duration,
    /// The time for which a poll is held.
    pub hold: Duration,
}

type Lines = Arc<Mutex<VecDeque<String>>>;

/// The way to start it, and to start it again.
#[derive(Debug, Clone)]
enum Start {
    /// A service of this repository, which logs the address on which it listens.
    Own { program: PathBuf, flags: Vec<String> },
    /// Another server, which is given a port.
    Foreign { command: Vec<String>, work: PathBuf },
}

/// The line of the log with the address on which a service listens.
#[derive(Deserialize)]
struct Listening {
    message: String,
    address: SocketAddr,
}

impl Service {
    /// Starts this repository's service for a method, on a port that the system chooses.
    ///
    /// # Errors
    /// Fails when it is not built or does not start.
    pub async fn own(folder: &Path, method: Method, flags: &[String]) -> anyhow::Result<Self> {
        let program = folder.join(method.service());
        ensure!(
            program.is_file(),
            "{} is not there: build it with `cargo build -p {}`, or start this by `cargo xtask bench`",
            program.display(),
            method.service()
        );
        Self::begin(Start::Own { program, flags: flags.to_vec() }, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await
    }

    /// Starts a server by its description. `own` is the command for the method, if there is one.
    ///
    /// # Errors
    /// Fails when it has no command to start it, or does not start.
    pub async fn foreign(target: &Target, own: &[String], pace: Pace) -> anyhow::Result<Self> {
        let command = if own.is_empty() { &target.start[..] } else { own };
        ensure!(!command.is_empty(), "the description of {} has no command to start it: give its --url", target.name);
        for needed in &target.needs {
            ensure!(target.here().join(needed).exists(), "{} needs {needed}: {}", target.name, target.hint);
        }
        // Another program could take the port before the server does, which would then report it.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()?;
        let work = std::env::temp_dir().join(format!("bench-{}-{:08x}", std::process::id(), fastrand::u32(..)));
        fs::create_dir_all(&work).context("a folder for the server")?;
        let bench = std::env::current_exe().context("the path of this program")?;
        let fill = |text: &str| {
            [
                ("{port}", address.port().to_string()),
                ("{here}", target.here().to_string_lossy().into_owned()),
                ("{work}", work.to_string_lossy().into_owned()),
                ("{bench}", bench.to_string_lossy().into_owned()),
                ("{heartbeat}", pace.heartbeat.as_secs().to_string()),
                ("{hold}", pace.hold.as_secs().to_string()),
            ]
            .iter()
            .fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
        };
        for file in &target.files {
            let text = fs::read_to_string(target.here().join(file)).with_context(|| format!("reading {file}"))?;
            fs::write(work.join(file), fill(&text)).with_context(|| format!("writing {file}"))?;
        }
        let command = command.iter().map(|part| fill(part)).collect();
        Self::begin(Start::Foreign { command, work }, address).await
    }

    async fn begin(start: Start, address: SocketAddr) -> anyhow::Result<Self> {
        let mut command = match &start {
            Start::Own { program, flags } => {
                let mut command = Command::new(program);
                command.args(["--listen", &address.to_string(), "--log-format", "json"]).args(flags);
                command
            }
            Start::Foreign { command, .. } => {
                let mut parts = command.iter();
                let mut command = Command::new(parts.next().context("an empty command")?);
                command.args(parts);
                command
            }
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("starting {start}"))?;
        let output = Lines::default();
        let mut lines = BufReader::new(child.stderr.take().context("a pipe for its output")?).lines();
        let ready = async {
            match &start {
                Start::Own { .. } => listening(&mut lines, &output).await,
                Start::Foreign { .. } => {
                    while !answers(address).await {
                        if let Some(status) = child.try_wait()? {
                            bail!("it ended with {}", describe(status));
                        }
                        sleep(Duration::from_millis(20)).await;
                    }
                    Ok(address)
                }
            }
        };
        let address = timeout(START, ready).await.unwrap_or_else(|_| bail!("it was not ready after {START:?}"));
        let address = address.with_context(|| format!("starting {start}: {}", last(&output)))?;
        let kept = Arc::clone(&output);
        let (log_unread, mut unread) = watch::channel(false);
        tokio::spawn(async move {
            // An error means that the service was dropped.
            while unread.wait_for(|unread| !unread).await.is_ok()
                && let Ok(Some(line)) = lines.next_line().await
            {
                keep(&kept, line);
            }
        });
        Ok(Self { start, child, address, output, log_unread })
    }

    /// Its process.
    ///
    /// # Errors
    /// Fails when it has ended.
    pub fn process(&self) -> anyhow::Result<Process> {
        Ok(Process::new(self.child.id().context("the server has ended")?))
    }

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Reads its log no more, and keeps the pipe open.
    pub(crate) fn leave_log_unread(&self) {
        self.log_unread.send_replace(true);
    }

    /// Waits until `/readyz` answers 200.
    ///
    /// # Errors
    /// Fails when it does not within the time.
    pub async fn ready(&self) -> anyhow::Result<()> {
        let ready = async {
            while !is_ready(self.address).await {
                sleep(CHECK_INTERVAL).await;
            }
        };
        timeout(START, ready).await.with_context(|| format!("{} is not ready: {}", self.start, last(&self.output)))
    }

    /// Stops it in good order and starts it again at the same address.
    ///
    /// # Errors
    /// Fails when it fails to stop or to start.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.terminate().await?;
        *self = Self::begin(self.start.clone(), self.address).await?;
        Ok(())
    }

    /// Stops it in good order and starts it again at another address, as replicas are.
    ///
    /// # Errors
    /// Fails when it fails to stop or to start.
    pub async fn replace(&mut self) -> anyhow::Result<()> {
        self.terminate().await?;
        *self = Self::begin(self.start.clone(), SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        Ok(())
    }

    /// Kills it, as `kill -9` does, and does not wait for its end.
    ///
    /// # Errors
    /// Fails when it had ended already.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.runs()?;
        self.child.start_kill().context("sending SIGKILL")
    }

    /// Starts it again at another address, after it was killed.
    ///
    /// # Errors
    /// Fails when it fails to start.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        self.child.wait().await.context("waiting for its end")?;
        *self = Self::begin(self.start.clone(), SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        Ok(())
    }

    /// Stops it in good order.
    ///
    /// # Errors
    /// Fails when it had ended already, or fails to stop.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let ended = self.terminate().await;
        if let Start::Foreign { work, .. } = &self.start {
            // A folder that remains is untidy, not wrong.
            let _ = fs::remove_dir_all(work);
        }
        ended
    }

    fn runs(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("{} ended by itself ({status}): {}", self.start, last(&self.output)),
            None => Ok(()),
        }
    }

    async fn terminate(&mut self) -> anyhow::Result<()> {
        self.runs()?;
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).context("its process id")?;
        kill(Pid::from_raw(id), Signal::SIGTERM).context("sending SIGTERM")?;
        let status = timeout(STOP, self.child.wait()).await.context("it did not stop in time")??;
        let foreign = matches!(self.start, Start::Foreign { .. });
        ensure!(foreign || status.success(), "{} ended with {}: {}", self.start, describe(status), last(&self.output));
        Ok(())
    }
}

/// Returns whether `/readyz` answers 200.
pub(crate) async fn is_ready(address: SocketAddr) -> bool {
    let asked = async {
        let mut connection = Connection::open(address, START).await?;
        connection.send(Request::get("/readyz").body(Full::default())?, START).await
    };
    asked.await.is_ok_and(|answer: Response<Incoming>| answer.status() == StatusCode::OK)
}

/// The flags of a service that does nothing but what is measured. It still has to log the address on which it listens, in
/// whatever module of whatever version that is. The echo would log every message.
pub(crate) const QUIET: &[(&str, &str)] =
    &[("--tick", "0"), ("--heartbeat", "120s"), ("--log", "info,ws_echo=warn"), ("--drain", "1s")];

/// The folder of this program, which is that of the services if all were built together.
pub(crate) fn beside() -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe().context("the path of this program")?;
    Ok(this.parent().context("this program lies in no folder")?.to_owned())
}

/// The value of a flag.
pub(crate) fn value<'a>(flags: &'a [String], name: &str) -> Option<&'a str> {
    let place = flags
        .iter()
        .position(|flag| flag == name || flag.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')))?;
    let value = flags[place].strip_prefix(name)?.strip_prefix('=');
    value.or_else(|| flags.get(place + 1).map(String::as_str))
}

/// Flags for a service: those that a command needs, unless the user sets them, and those of the user.
pub(crate) fn with_defaults(flags: &[String], defaults: &[(&str, &str)]) -> Vec<String> {
    let missing = defaults.iter().filter(|(name, _)| value(flags, name).is_none());
    missing.map(|(name, value)| format!("{name}={value}")).chain(flags.iter().cloned()).collect()
}

impl std::fmt::Display for Start {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Own { program, .. } => write!(f, "{}", program.display()),
            Self::Foreign { command, .. } => write!(f, "{}", command.join(" ")),
        }
    }
}

/// Reads the log up to the address on which the service listens.
async fn listening(
    lines: &mut tokio::io::Lines<impl AsyncBufRead + Unpin>,
    output: &Lines,
) -> anyhow::Result<SocketAddr> {
    while let Some(line) = lines.next_line().await? {
        match serde_json::from_str::<Listening>(&line) {
            Ok(Listening { message, address }) if message == "listening" => return Ok(address),
            _ => keep(output, line),
        }
    }
    bail!("it ended before it logged its address")
}

/// Returns whether another process listens there: on a free port, a connection can connect to itself.
async fn answers(address: SocketAddr) -> bool {
    match TcpStream::connect(address).await {
        Ok(stream) => stream.local_addr().is_ok_and(|own| own != address),
        Err(_) => false,
    }
}

fn keep(output: &Lines, line: String) {
    let mut output = output.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if output.len() == KEPT_LINES {
        output.pop_front();
    }
    output.push_back(line);
}

fn last(output: &Lines) -> String {
    let output = output.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    output.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
}

fn describe(status: ExitStatus) -> String {
    status.code().map_or_else(|| status.to_string(), |code| format!("code {code}"))
}
