//! A service in the test's process, which ends as a process ends.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread::JoinHandle;

use anyhow::{Context, ensure};
use clap::Parser;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;

use crate::PATIENCE;

/// A service, by the name that the pages have for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// ws-echo
    Ws,
    /// longpoll-server
    Poll,
    /// sse-server
    Sse,
}

impl Method {
    /// All three, in the order of the page `/compare`.
    pub const ALL: [Self; 3] = [Self::Ws, Self::Poll, Self::Sse];

    /// The name in `data-method`, and in the flag `--peer-…`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ws => "ws",
            Self::Poll => "poll",
            Self::Sse => "sse",
        }
    }
}

/// The configuration of a service.
enum Config {
    Ws(ws_echo::Config),
    Poll(longpoll_server::Config),
    Sse(sse_server::Config),
}

impl Config {
    fn parse(method: Method, flags: &[&str]) -> anyhow::Result<Self> {
        // A service that a test leaves running may not take long to end.
        let defaults = ["--drain=300ms", "--tick=0"].into_iter().filter(|default| {
            let name = default.split_inclusive('=').next().unwrap_or_default();
            !flags.iter().any(|flag| flag.starts_with(name))
        });
        let flags = std::iter::once("service").chain(defaults).chain(flags.iter().copied());
        Ok(match method {
            Method::Ws => Self::Ws(ws_echo::Config::try_parse_from(flags)?),
            Method::Poll => Self::Poll(longpoll_server::Config::try_parse_from(flags)?),
            Method::Sse => Self::Sse(sse_server::Config::try_parse_from(flags)?),
        })
    }

    async fn run(self, listener: TcpListener, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        match self {
            Self::Ws(config) => ws_echo::run(listener, config, stop).await?,
            Self::Poll(config) => longpoll_server::run(listener, config, stop).await?,
            Self::Sse(config) => sse_server::run(listener, config, stop).await?,
        }
        Ok(())
    }
}

/// A service on a port of its own, running or not.
#[derive(Debug)]
pub struct Service {
    method: Method,
    address: SocketAddr,
    /// Reserves the port while the service does not run. It refuses connections.
    held: Option<TcpSocket>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Service {
    /// Chooses a port. The service does not run yet.
    ///
    /// # Errors
    /// Fails when the system has no port.
    pub fn reserve(method: Method) -> anyhow::Result<Self> {
        let held = hold((Ipv4Addr::LOCALHOST, 0).into())?;
        Ok(Self { method, address: held.local_addr()?, held: Some(held), running: None })
    }

    /// Chooses a port and starts, without the simulated source unless a flag says otherwise.
    ///
    /// # Errors
    /// See [`start`](Self::start).
    pub async fn started(method: Method, flags: &[&str]) -> anyhow::Result<Self> {
        let mut service = Self::reserve(method)?;
        service.start(flags).await?;
        Ok(service)
    }

    /// Chooses three ports and starts the three services, each with the same flags and with the addresses of the others.
    ///
    /// # Errors
    /// See [`start`](Self::start).
    pub async fn all_three(flags: &[&str]) -> anyhow::Result<[Self; 3]> {
        let [ws, poll, sse] = Method::ALL.map(Self::reserve);
        let mut services = [ws?, poll?, sse?];
        let peers = services.each_ref().map(|service| format!("--peer-{}={}", service.method.name(), service.url("")));
        let flags: Vec<&str> = flags.iter().copied().chain(peers.iter().map(String::as_str)).collect();
        for service in &mut services {
            service.start(&flags).await?;
        }
        Ok(services)
    }

    /// Starts. It can be connected to when this returns.
    ///
    /// # Errors
    /// Fails when a flag is wrong, or its port cannot be listened on.
    pub async fn start(&mut self, flags: &[&str]) -> anyhow::Result<()> {
        ensure!(self.running.is_none(), "the service runs already");
        let (config, address) = (Config::parse(self.method, flags)?, self.address);
        let (stop, stopped) = oneshot::channel();
        let (tell, listening) = oneshot::channel();

        // In a runtime of its own, so that its end closes every connection.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        self.held = None;
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                let listener = serving::server::listen(address)?;
                // An error means that the test has ended, and so does the one below.
                let _ = tell.send(());
                let stop = async {
                    let _ = stopped.await;
                };
                config.run(listener, stop).await
            })
        });
        self.running = Some(Running { stop, thread });
        if listening.await.is_err() {
            self.stop().await?;
        }
        Ok(())
    }

    /// Stops it as SIGTERM does, and waits for its end. The port stays reserved.
    ///
    /// # Errors
    /// Fails when the service ended with an error, or does not end.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        let Running { stop, thread } = self.running.take().context("the service does not run")?;
        // An error means that it has ended already; its thread returns the reason.
        let _ = stop.send(());
        let ended = tokio::time::timeout(PATIENCE, tokio::task::spawn_blocking(|| thread.join()));
        let ended = ended.await.context("the service does not end")??;
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        self.held = Some(hold(self.address)?);
        Ok(())
    }

    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The method of the service.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Publishes a text on the topic `main`, by HTTP. Returns the answer: `id`, `topic` and `at`.
    ///
    /// # Errors
    /// Fails when it is not accepted.
    pub async fn publish(&self, text: &str) -> anyhow::Result<Value> {
        let http = testkit::client_builder().timeout(PATIENCE).build()?;
        let answer = http.post(self.url("/messages")).body(text.to_owned()).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// Publishes `text 1`, `text 2` and so on together, on a topic.
    ///
    /// # Errors
    /// Fails when they are not accepted.
    pub async fn publish_together(&self, topic: &str, text: &str, count: usize) -> anyhow::Result<()> {
        let http = testkit::client_builder().timeout(PATIENCE).build()?;
        let messages: Vec<Value> = (1..=count).map(|number| json!({ "text": format!("{text} {number}") })).collect();
        let answer = http.post(self.url(&format!("/messages?topic={topic}"))).json(&messages).send().await?;
        answer.error_for_status()?;
        Ok(())
    }
}

/// Reserves a port, or chooses one. As long as the socket is there, the system gives the port to nobody else, and a program that listens with
/// `SO_REUSEADDR`, as servers do, can still listen on it.
///
/// # Errors
/// Fails when the port is taken.
pub fn hold(address: SocketAddr) -> anyhow::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address).with_context(|| format!("holding {address}"))?;
    Ok(socket)
}
