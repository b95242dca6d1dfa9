//! Listening, accepting, and the end.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use super::Routes;
use super::admission::Room;
use super::connection;
use super::socket::Socket;
use crate::app::App;
use shared::ticker;

/// Connections that the system holds until they are accepted. With the usual 128, a burst of clients that come back
/// waits for retransmissions.
const LISTEN_QUEUE: u32 = 4096;

/// Connections beyond `--max-connections` that are served to be told so, and so that health checks get through.
const OVERFLOW: usize = 128;

/// Descriptors that are not for connections: standard streams, the listener, the runtime's own.
const OTHER_DESCRIPTORS: usize = 64;

/// How long to wait before accepting again when the system has no more descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Listens on an address.
///
/// # Errors
/// When the address is taken or not this machine's, with what to do about it.
pub fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let bind = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(LISTEN_QUEUE)
    };
    bind().with_context(|| format!("cannot listen on {address}; choose another address with --listen"))
}

/// Listens for SIGTERM and SIGINT from this call on, and resolves at the first. A second one ends the process at once.
///
/// # Errors
/// When the system does not let the process handle its signals.
pub fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    const CONTEXT: &str = "cannot listen for signals";
    let mut terminate = signal(SignalKind::terminate()).context(CONTEXT)?;
    let mut interrupt = signal(SignalKind::interrupt()).context(CONTEXT)?;
    let mut next = async move || {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    Ok(async move {
        next().await;
        tokio::spawn(async move {
            next().await;
            warn!("second signal: ending at once");
            std::process::exit(130);
        });
    })
}

/// Serves a service's routes until `stop`, then drains: connections are released over `--drain`. Also runs the backplane,
/// and the ticker with `tick_text`.
///
/// # Errors
/// When the descriptor limit leaves no room for connections, or the backplane cannot go on.
pub async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    routes: Routes,
    tick_text: String,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let limit = connection_limit(app.config.connections.max_connections)?;
    let address = listener.local_addr()?;
    info!(%address, max_connections = limit, "listening");

    // All end with this function.
    let mut backplane = JoinSet::new();
    backplane.spawn(app.backplane().run());
    let mut background = JoinSet::new();
    let ticker = background.spawn(ticker::run(app.backplane(), app.config.tick.tick, tick_text));

    let connections = TaskTracker::new();
    let mut accepting = pin!(accept(listener, Arc::clone(&app), routes, limit, connections.clone()));
    tokio::select! {
        () = &mut accepting => {}
        () = stop => {}
        Some(ended) = backplane.join_next() => return Err(ended.context("the backplane's task")?.into()),
    }

    ticker.abort();
    app.drain.begin();
    connections.close();
    let window = app.drain.window();
    info!(connections = connections.len(), ?window, "draining");
    // Still accepting: who comes now is told to try elsewhere, and polls for what was published before.
    tokio::select! {
        () = &mut accepting => {}
        () = connections.wait() => {}
        () = sleep(window) => {}
    }
    info!(cut_off = connections.len(), "stopped");
    Ok(())
}

/// How many connections can be served: what is asked for, or what the system's descriptor limit allows.
fn connection_limit(asked: usize) -> anyhow::Result<usize> {
    let descriptors = rlimit::increase_nofile_limit(u64::MAX).context("cannot read the descriptor limit")?;
    let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
    let room = descriptors.saturating_sub(OVERFLOW + OTHER_DESCRIPTORS);
    if room == 0 {
        anyhow::bail!("the system allows {descriptors} open files, too few to serve anybody; raise `ulimit -n`");
    }
    if room < asked {
        info!(
            asked,
            room, descriptors, "fewer connections than --max-connections: the descriptor limit allows no more"
        );
    }
    Ok(room.min(asked).min(Semaphore::MAX_PERMITS))
}

/// Accepts connections, each into a task of its own; never ends.
async fn accept(listener: TcpListener, app: Arc<App>, routes: Routes, limit: usize, connections: TaskTracker) {
    let places = Arc::new(Semaphore::new(limit));
    let overflow = Arc::new(Semaphore::new(OVERFLOW));
    let mut failing = false;
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => {
                failing = false;
                stream
            }
            Err(error) if is_of_the_connection(&error) => continue,
            Err(error) => {
                if !failing {
                    warn!(%error, "cannot accept connections, trying again");
                }
                failing = true;
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (room, permit) = match Arc::clone(&places).try_acquire_owned() {
            Ok(permit) => (Room::Taken, permit),
            Err(_) => match Arc::clone(&overflow).try_acquire_owned() {
                Ok(permit) => (Room::None, permit),
                Err(_) => continue,
            },
        };
        let (app, routes) = (Arc::clone(&app), routes.clone());
        connections.spawn(async move {
            connection::serve(prepare(stream, &app), app, routes, room).await;
            drop(permit);
        });
    }
}

fn prepare(stream: TcpStream, app: &App) -> Socket {
    let config = &app.config.connections;
    // A message is written whole, so there is nothing to wait for. Failing that, it is only late.
    let _ = stream.set_nodelay(true);
    if let Err(error) = notice_dead_peers(&stream, config.heartbeat, config.write_timeout) {
        debug!(%error, "a client that vanishes will be noticed late");
    }
    Socket::new(stream, config.write_timeout, app.drain.clone())
}

/// Has the system break a connection whose peer has vanished without a word: it is probed when nothing was said for a
/// heartbeat, and given up when nothing is acknowledged for another. Not before the write time-out, which a client that
/// is only slow has.
fn notice_dead_peers(stream: &TcpStream, heartbeat: Duration, write_timeout: Duration) -> std::io::Result<()> {
    // Probing knows whole seconds.
    let probe = heartbeat.max(Duration::from_secs(1));
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(probe).with_interval(probe))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(heartbeat.max(write_timeout)))?;
    Ok(())
}

/// The client gave up before it was accepted.
fn is_of_the_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
