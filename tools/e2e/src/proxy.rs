//! A proxy between browser and service that does what proxies do: it cuts, falls silent, and holds back.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, ensure};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Duration, interval, timeout};

use crate::PATIENCE;

/// The interval at which requests are counted.
const CHECK_INTERVAL: Duration = Duration::from_millis(10);

/// The conduct of a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conduct {
    /// Passes everything on.
    Passing,
    /// Closes all connections, and each new one at once.
    Cutting,
    /// Keeps connections, and passes nothing on.
    Silent,
    /// Takes `Upgrade` away from requests, as a proxy does that knows no WebSockets.
    WithoutUpgrades,
    /// Passes requests on, and closes the connection in place of the answer.
    LosingAnswers,
    /// Passes nothing of a WebSocket or a stream of events on, as a proxy does that waits for the end of an answer.
    HoldingStreams,
}

/// The conduct at a time, and the number of cuts until then.
#[derive(Debug, Clone, Copy)]
struct Now {
    conduct: Conduct,
    cuts: usize,
}

/// Passes bytes to a service and back, or does not. It ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    now: Arc<watch::Sender<Now>>,
    refused: watch::Receiver<usize>,
    requests: Arc<Mutex<Vec<String>>>,
    streams: Arc<watch::Sender<usize>>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens in front of a service.
    ///
    /// # Errors
    /// Fails when the system has no port.
    pub async fn start(service: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let now = Arc::new(watch::Sender::new(Now { conduct: Conduct::Passing, cuts: 0 }));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let streams = Arc::new(watch::Sender::new(0));
        let (refuse, refused) = watch::channel(0);
        let task = tokio::spawn({
            let (now, requests, streams) = (Arc::clone(&now), Arc::clone(&requests), Arc::clone(&streams));
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    if now.borrow().conduct == Conduct::Cutting {
                        refuse.send_modify(|count| *count += 1);
                        continue;
                    }
                    let passage = Passage {
                        now: now.subscribe(),
                        requests: Arc::clone(&requests),
                        streams: Arc::clone(&streams),
                        stream: None,
                        holds: false,
                    };
                    tokio::spawn(passage.pass(client, service));
                }
            }
        });
        Ok(Self { address, now, refused, requests, streams, task })
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Changes the conduct, also towards connections that are open. Only [`Conduct::Cutting`] closes them.
    pub fn set(&self, conduct: Conduct) {
        self.now.send_modify(|now| {
            now.conduct = conduct;
            now.cuts += usize::from(conduct == Conduct::Cutting);
        });
    }

    /// Closes all connections, and from now on every new one at once.
    pub fn cut(&self) {
        self.set(Conduct::Cutting);
    }

    /// Passes everything on again.
    pub fn mend(&self) {
        self.set(Conduct::Passing);
    }

    /// Returns the number of requests whose line begins so, such as `GET /feed`.
    pub fn requests(&self, beginning: &str) -> usize {
        self.requests.lock().iter().filter(|line| line.starts_with(beginning)).count()
    }

    /// Waits until there have been so many requests whose line begins so.
    ///
    /// # Errors
    /// Fails when it does not come to that.
    pub async fn until_requests(&self, beginning: &str, count: usize) -> anyhow::Result<()> {
        let mut checks = interval(CHECK_INTERVAL);
        let asked = async {
            while self.requests(beginning) < count {
                checks.tick().await;
            }
        };
        let reached = timeout(PATIENCE, asked).await.is_ok();
        ensure!(reached, "there were {} requests {beginning}, and not {count}", self.requests(beginning));
        Ok(())
    }

    /// Waits until so many WebSockets and streams of events are open.
    ///
    /// # Errors
    /// Fails when it does not come to that.
    pub async fn until_streams(&self, count: usize) -> anyhow::Result<()> {
        let mut streams = self.streams.subscribe();
        let reached = timeout(PATIENCE, streams.wait_for(|open| *open == count)).await.is_ok();
        ensure!(reached, "{} streams are open, and not {count}", *self.streams.borrow());
        Ok(())
    }

    /// Waits until an attempt to connect has been refused; those before the call do not count.
    ///
    /// # Errors
    /// Fails when there is none.
    pub async fn refusal(&mut self) -> anyhow::Result<()> {
        self.refused.mark_unchanged();
        timeout(PATIENCE, self.refused.changed()).await.context("nobody tries to connect")??;
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One connection through the proxy.
struct Passage {
    now: watch::Receiver<Now>,
    requests: Arc<Mutex<Vec<String>>>,
    streams: Arc<watch::Sender<usize>>,
    stream: Option<Stream>,
    /// The answer that is under way is held back.
    holds: bool,
}

/// One of the streams that are open.
struct Stream(Arc<watch::Sender<usize>>);

impl Stream {
    fn new(streams: &Arc<watch::Sender<usize>>) -> Self {
        streams.send_modify(|open| *open += 1);
        Self(Arc::clone(streams))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

impl Passage {
    /// Passes bytes on in both directions. When either end closes, or the connection is cut, both ends close with this function.
    async fn pass(mut self, mut client: TcpStream, service: SocketAddr) {
        let cuts = self.now.borrow().cuts;
        let Ok(mut server) = TcpStream::connect(service).await else { return };
        let (mut up, mut down) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
        loop {
            let Now { conduct, cuts: cuts_now } = *self.now.borrow_and_update();
            if cuts_now > cuts {
                return;
            }
            let passes = conduct != Conduct::Silent;
            let passed = tokio::select! {
                read = client.read(&mut up), if passes => match read {
                    Ok(length @ 1..) => server.write_all(&self.request(&up[..length], conduct)).await,
                    _ => return,
                },
                read = server.read(&mut down), if passes && !self.holds => match read {
                    Ok(length @ 1..) if conduct != Conduct::LosingAnswers => client.write_all(&down[..length]).await,
                    _ => return,
                },
                changed = self.now.changed() => match changed {
                    Ok(()) => {
                        self.holds = false;
                        Ok(())
                    }
                    Err(_) => return,
                },
            };
            if passed.is_err() {
                return;
            }
        }
    }

    /// Notes a request, whose head a browser sends at once, and returns it as it is passed on.
    fn request(&mut self, bytes: &[u8], conduct: Conduct) -> Vec<u8> {
        let text = String::from_utf8_lossy(bytes);
        let line = text.lines().next().filter(|line| line.ends_with(" HTTP/1.1"));
        let Some(line) = line else { return bytes.to_vec() };
        self.requests.lock().push(line.to_owned());
        let is_stream = line.starts_with("GET /feed") || line.starts_with("GET /events");
        self.stream = is_stream.then(|| Stream::new(&self.streams));
        self.holds = conduct == Conduct::HoldingStreams && is_stream;
        match conduct {
            Conduct::WithoutUpgrades => text.replace("Upgrade: websocket\r\n", "").into_bytes(),
            _ => bytes.to_vec(),
        }
    }
}
