//! The bad network: a TCP proxy between clients and server.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::balancer::{Addresses, Balancer};
use super::injury::{Decisions, Injury, Trigger};

/// The time for which a connection is kept whose bytes are dropped for good: longer than any client waits.
const FOR_GOOD: Duration = Duration::from_secs(30);

/// The number of bytes that are passed on in one step.
const STEP: usize = 8 * 1024;

/// The number of injuries, by kind.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Injuries {
    /// Closed by FIN.
    pub closed: u64,
    /// Reset by RST.
    pub reset: u64,
    /// Bytes dropped for a while or for good.
    pub black_holes: u64,
    /// Slowed down for a while.
    pub throttled: u64,
    /// Those of the above that came after a random byte: in a frame, a chunk or a head.
    pub within_a_frame: u64,
}

impl Injuries {
    /// The total.
    pub fn total(&self) -> u64 {
        self.closed + self.reset + self.black_holes + self.throttled
    }
}

#[derive(Debug, Default)]
struct Counts {
    closed: AtomicU64,
    reset: AtomicU64,
    black_holes: AtomicU64,
    throttled: AtomicU64,
    within_a_frame: AtomicU64,
}

/// A proxy with one listener for each client, so that a connection's injuries do not depend on the order of connecting.
#[derive(Debug)]
pub struct Proxy {
    addresses: Vec<SocketAddr>,
    injuring: watch::Sender<bool>,
    counts: Arc<Counts>,
    _listeners: JoinSet<()>,
}

/// The settings that all connections of one client share.
#[derive(Clone)]
struct Route {
    to: Arc<Balancer>,
    seed: u64,
    client: usize,
    calm: Option<Duration>,
    injuring: watch::Receiver<bool>,
    counts: Arc<Counts>,
}

impl Proxy {
    /// `to` has the route of each client. There are no injuries until they are begun, and none at all without `calm`, the mean time between
    /// those of a connection.
    ///
    /// # Errors
    /// Fails when the system has no port.
    pub async fn start(to: impl IntoIterator<Item = Addresses>, seed: u64, calm: Option<Duration>) -> io::Result<Self> {
        let (injuring, watched) = watch::channel(false);
        let counts = Arc::new(Counts::default());
        let mut listeners = JoinSet::new();
        let mut addresses = Vec::new();
        for (client, places) in to.into_iter().enumerate() {
            let to = Arc::new(Balancer::new(places, seed ^ client as u64));
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            addresses.push(listener.local_addr()?);
            let (injuring, counts) = (watched.clone(), Arc::clone(&counts));
            listeners.spawn(accept(listener, Route { to, seed, client, calm, injuring, counts }));
        }
        Ok(Self { addresses, injuring, counts, _listeners: listeners })
    }

    /// The address to which a client connects.
    pub fn address(&self, client: usize) -> SocketAddr {
        self.addresses[client]
    }

    /// Begins or ends the injuries. Connections whose bytes are dropped remain as they are.
    pub fn injure(&self, injure: bool) {
        self.injuring.send_replace(injure);
    }

    /// The number of injuries until now.
    pub fn injuries(&self) -> Injuries {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Injuries {
            closed: read(&self.counts.closed),
            reset: read(&self.counts.reset),
            black_holes: read(&self.counts.black_holes),
            throttled: read(&self.counts.throttled),
            within_a_frame: read(&self.counts.within_a_frame),
        }
    }
}

async fn accept(listener: TcpListener, route: Route) {
    let mut connections = JoinSet::new();
    for connection in 0.. {
        // Without descriptors the connection is closed at once, and the client reconnects.
        let Ok((client, _)) = listener.accept().await else {
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let route = route.clone();
        connections.spawn(async move {
            if let Some(server) = route.to.connect().await {
                let calm = route.calm;
                let decisions = calm.map(|calm| Decisions::new(route.seed, route.client, connection, calm));
                // An error ends one side, and so the other one.
                let _ = Wire { client, server }.run(decisions, route).await;
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

/// The reason why bytes are no longer passed on.
enum Stop {
    Ended,
    Byte,
    Clock,
    PhaseChanged,
}

struct Wire {
    client: TcpStream,
    server: TcpStream,
}

impl Wire {
    async fn run(mut self, mut decisions: Option<Decisions>, mut route: Route) -> io::Result<()> {
        self.client.set_nodelay(true)?;
        self.server.set_nodelay(true)?;
        loop {
            let injuring = *route.injuring.borrow_and_update();
            let (trigger, injury) = match &mut decisions {
                Some(decisions) if injuring => decisions.next(),
                _ => (Trigger::NEVER, Injury::Close),
            };
            match self.forward(trigger, None, &mut route.injuring).await? {
                Stop::Ended => return Ok(()),
                Stop::PhaseChanged => continue,
                Stop::Byte => _ = route.counts.within_a_frame.fetch_add(1, Ordering::Relaxed),
                Stop::Clock => {}
            }
            match injury {
                Injury::Close => {
                    route.counts.closed.fetch_add(1, Ordering::Relaxed);
                    // A connection that is closed already is closed.
                    let _ = self.client.shutdown().await;
                    let _ = self.server.shutdown().await;
                    return Ok(());
                }
                Injury::Reset => {
                    route.counts.reset.fetch_add(1, Ordering::Relaxed);
                    self.client.set_zero_linger()?;
                    return self.server.set_zero_linger();
                }
                Injury::BlackHole(lasting) => {
                    route.counts.black_holes.fetch_add(1, Ordering::Relaxed);
                    sleep(lasting.unwrap_or(FOR_GOOD)).await;
                    if lasting.is_none() {
                        self.client.set_zero_linger()?;
                        return self.server.set_zero_linger();
                    }
                }
                Injury::Throttle { bytes_per_second, lasting } => {
                    route.counts.throttled.fetch_add(1, Ordering::Relaxed);
                    let slow = Trigger::after(lasting);
                    if let Stop::Ended = self.forward(slow, Some(bytes_per_second), &mut route.injuring).await? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Passes bytes on, exactly up to the trigger.
    async fn forward(
        &mut self,
        trigger: Trigger,
        bytes_per_second: Option<u32>,
        phase: &mut watch::Receiver<bool>,
    ) -> io::Result<Stop> {
        let Trigger { mut down, mut up, after } = trigger;
        let end = Instant::now().checked_add(after);
        let (mut from_client, mut to_client) = self.client.split();
        let (mut from_server, mut to_server) = self.server.split();
        let (mut down_buffer, mut up_buffer) = ([0; STEP], [0; STEP]);
        // A slow line passes little at a time, too.
        let step = bytes_per_second.map_or(STEP, |rate| (rate as usize / 10).clamp(1, STEP));
        let most = |left: u64| usize::try_from(left).unwrap_or(step).min(step);
        let clock = async {
            match end {
                Some(end) => sleep_until(end).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(clock);
        loop {
            let passed = tokio::select! {
                () = &mut clock => return Ok(Stop::Clock),
                Ok(()) = phase.changed() => return Ok(Stop::PhaseChanged),
                read = from_server.read(&mut down_buffer[..most(down)]) => {
                    let bytes = &down_buffer[..read?];
                    to_client.write_all(bytes).await?;
                    down -= bytes.len() as u64;
                    bytes.len()
                }
                read = from_client.read(&mut up_buffer[..most(up)]) => {
                    let bytes = &up_buffer[..read?];
                    to_server.write_all(bytes).await?;
                    up -= bytes.len() as u64;
                    bytes.len()
                }
            };
            if passed == 0 {
                return Ok(Stop::Ended);
            }
            if down == 0 || up == 0 {
                return Ok(Stop::Byte);
            }
            if let Some(rate) = bytes_per_second {
                sleep(Duration::from_secs_f64(passed as f64 / f64::from(rate))).await;
            }
        }
    }
}
