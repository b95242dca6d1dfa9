//! A network between a replica and NATS that can stop carrying anything, without closing a connection.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, tcp};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// A proxy before a port that can be cut.
#[derive(Debug)]
pub struct Partition {
    port: u16,
    whole: watch::Sender<bool>,
    _task: JoinSet<()>,
}

impl Partition {
    /// Starts a proxy before a port of this machine.
    ///
    /// # Panics
    /// When the system has no free port.
    pub async fn before(port: u16) -> Self {
        Self::slow(port, Duration::ZERO).await
    }

    /// Starts a proxy that delays everything, in both directions.
    ///
    /// # Panics
    /// When the system has no free port.
    pub async fn slow(port: u16, latency: Duration) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let own = listener.local_addr().expect("a bound listener has an address").port();
        let whole = watch::Sender::new(true);
        let mut task = JoinSet::new();
        let watched = whole.clone();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let whole = watched.subscribe();
                connections.spawn(carry(client, port, latency, whole));
            }
        });
        Self { port: own, whole, _task: task }
    }

    /// The URL of NATS behind the proxy.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Cuts the network, or repairs it. Bytes that are sent while it is cut are delivered later, as TCP promises.
    pub fn cut(&self, cut: bool) {
        self.whole.send_replace(!cut);
    }
}

async fn carry(client: TcpStream, port: u16, latency: Duration, mut whole: watch::Receiver<bool>) {
    let _ = whole.wait_for(|whole| *whole).await;
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else { return };
    let (client, server) = (client.into_split(), server.into_split());
    tokio::join!(one_way(client.0, server.1, latency, whole.clone()), one_way(server.0, client.1, latency, whole));
}

async fn one_way(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    latency: Duration,
    mut whole: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if !latency.is_zero() {
            sleep(latency).await;
        }
        if whole.wait_for(|whole| *whole).await.is_err() || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
