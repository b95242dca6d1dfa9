//! Subscribers that never read, and their effect on the others.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::target::{Method, Resume, Route};

/// The time after which a subscriber replaces its connection: the server may have given up on it.
const HOLD: std::ops::Range<u64> = 8_000..12_000;

/// Subscribes without ever reading, until it is dropped.
#[derive(Debug)]
pub(crate) struct Stalled {
    _tasks: JoinSet<()>,
}

impl Stalled {
    /// `topic`: the value for `{topic}`.
    pub(crate) fn start(count: usize, method: Method, route: &Route, topic: &str, address: SocketAddr) -> Self {
        let mut path = route.path.replace("{topic}", topic).replace("{wait}", "30");
        if let (Resume::Query(name), Some(first)) = (&route.resume, &route.first) {
            path.push_str(&format!("&{name}={first}"));
        }
        let upgrade = match method {
            Method::Ws => {
                "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                 sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            }
            Method::Poll | Method::Sse => "",
        };
        let request: Arc<str> = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n{upgrade}\r\n").into();
        let mut tasks = JoinSet::new();
        for _ in 0..count {
            let request = Arc::clone(&request);
            tasks.spawn(async move {
                loop {
                    // A failed connection is tried again in the next round.
                    let _ = subscribe(address, &request).await;
                }
            });
        }
        Self { _tasks: tasks }
    }
}

async fn subscribe(address: SocketAddr, request: &str) -> std::io::Result<()> {
    let hold = Duration::from_millis(fastrand::u64(HOLD));
    let opened = async {
        let socket = TcpSocket::new_v4()?;
        // The system raises this to the least that it allows.
        socket.set_recv_buffer_size(1)?;
        let mut stream = socket.connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        Ok(stream)
    };
    let stream = opened.await;
    sleep(if stream.is_ok() { hold } else { Duration::from_millis(200) }).await;
    stream.map(drop)
}
