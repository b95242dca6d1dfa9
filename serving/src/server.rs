//! Accepting connections until the service is to stop, and draining then.

use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use shared::backplane::Fatal;
use shared::ticker;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use crate::address_limit::Entrance;
use crate::admin;
use crate::app::{App, ConfigError};
use crate::config::ConnectionConfig;
use crate::connection::{Carrier, Client, Connection, Peer, TlsStream, Transport};
use crate::listen::ListenAddress;
use crate::reuse_port::{self, HANDSHAKES};
use crate::routes::Routes;
use crate::tls::Tls;

/// Connections that the system holds until they are accepted. With the usual 128, clients that come back in a burst wait
/// for retransmissions.
const LISTEN_QUEUE: u32 = 4096;

/// The pause before accepting again when the system has no more descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The reason why a service does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The flags contradict each other, or the system is too small for them.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The address is taken, or not this machine's.
    #[error("cannot listen on {address}; choose another address with --listen or --admin-listen")]
    Listen {
        /// `--listen`.
        address: ListenAddress,
        /// The system's reason.
        source: io::Error,
    },
    /// The listener has no address.
    #[error("the listener has no address")]
    Address(#[source] io::Error),
    /// The backplane cannot go on.
    #[error(transparent)]
    Backplane(#[from] Fatal),
    /// The backplane's task panicked.
    #[error("the backplane's task panicked")]
    BackplaneTask(#[source] JoinError),
}

/// Listens on an address.
///
/// # Errors
/// [`ServeError::Listen`], with what to do about it.
pub fn listen(address: impl Into<ListenAddress>) -> Result<TcpListener, ServeError> {
    bind_first(address.into(), |_| Ok(()))
}

/// Listens on an address, with the settings of the socket that the flags ask for.
///
/// # Errors
/// As [`listen`].
pub fn listen_with(address: impl Into<ListenAddress>, config: &ConnectionConfig) -> Result<TcpListener, ServeError> {
    bind_first(address.into(), |socket| {
        socket.set_reuseport(config.reuse_port)?;
        bound_buffers(socket, config.max_unsent_bytes)
    })
}

/// Listens on the first of the addresses that the machine has.
fn bind_first(
    address: ListenAddress,
    set_up: impl Fn(&TcpSocket) -> io::Result<()>,
) -> Result<TcpListener, ServeError> {
    let mut result = Err(io::ErrorKind::AddrNotAvailable.into());
    for candidate in address.candidates() {
        result = bind(candidate, &set_up);
        match &result {
            // The machine has this kind of address.
            Err(error) if !matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied) => {}
            _ => break,
        }
    }
    result.map_err(|source| ServeError::Listen { address, source })
}

fn bind(address: SocketAddr, set_up: impl FnOnce(&TcpSocket) -> io::Result<()>) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        // IPv4 too, whatever the system does by default (RFC 3493, section 5.3).
        SockRef::from(&socket).set_only_v6(false)?;
    }
    set_up(&socket)?;
    socket.bind(address)?;
    socket.listen(LISTEN_QUEUE)
}

/// Has the system take no more bytes for a client than it can send soon, on all connections that the socket will accept.
fn bound_buffers(socket: &TcpSocket, max_unsent: ByteSize) -> io::Result<()> {
    let socket = SockRef::from(socket);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_notsent_lowat(u32::try_from(max_unsent.as_u64()).unwrap_or(u32::MAX))?;
    Ok(())
}

/// Serves a service's routes until `stop`, then drains: connections are released over `--drain`. Also runs the backplane,
/// and the ticker with `tick_text`.
///
/// # Errors
/// When the backplane cannot go on.
pub async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    routes: Routes,
    tick_text: String,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let listener = Arc::new(listener);
    let address = listener.local_addr().map_err(ServeError::Address)?;
    info!(%address, tls = app.tls().is_some(), max_connections = app.admission.limit(), "listening");

    let admin = match app.config.watch.admin_listen {
        None => None,
        Some(address) => {
            let listener = listen_with(address, &app.config.connections)?;
            info!(address = %listener.local_addr().map_err(ServeError::Address)?, "listening for those who run the service");
            Some(listener)
        }
    };

    // All end with this function.
    let mut backplane = JoinSet::new();
    backplane.spawn(app.backplane().run());
    let mut background = JoinSet::new();
    let ticker = background.spawn(ticker::run(app.backplane(), app.config.tick.tick, tick_text));
    let timed = Arc::clone(&app);
    background.spawn(async move { timed.timers.run().await });
    let reported = Arc::clone(&app);
    background.spawn(async move { reported.admission.report_full().await });
    let reported = Arc::clone(&app);
    background.spawn(async move { reported.admission.report_full_addresses().await });

    if let Some(listener) = admin {
        background.spawn(admin::serve(listener, Arc::clone(&app)));
    }
    match app.gate() {
        Some(_) => info!("closed: publishing and subscribing need a token"),
        None => info!(
            "open: whoever reaches this service may publish and subscribe; a key, such as --jwt-secret-file, closes it"
        ),
    }
    let served = Arc::clone(&app);
    background.spawn(async move {
        if let Some(tls) = served.tls() {
            tls.run().await;
        }
    });
    let gated = Arc::clone(&app);
    background.spawn(async move {
        if let Some(gate) = gated.gate() {
            gate.run().await;
        }
    });

    let connections = TaskTracker::new();
    let mut accepting: Pin<Box<dyn Future<Output = ()> + Send>> =
        Box::pin(accept(Arc::clone(&listener), Arc::clone(&app), routes, connections.clone()));
    tokio::select! {
        () = &mut accepting => {}
        () = stop => {}
        Some(ended) = backplane.join_next() => {
            end_traces(&app).await;
            return Err(ended.map_err(ServeError::BackplaneTask)?.into());
        }
    }

    ticker.abort();
    let mut listening = Some(listener);
    if app.config.connections.reuse_port {
        if let Some(listener) = &listening
            && let Err(error) = reuse_port::yield_to_next(listener)
        {
            warn!(%error, "connections that come while the address is handed over may be reset");
        }
        let _ = timeout(HANDSHAKES, &mut accepting).await;
        accepting = Box::pin(pending());
        listening = None;
        info!("listening no more");
    }
    app.begin_drain();
    connections.close();
    let window = app.admission.drain().window();
    info!(connections = connections.len(), ?window, "draining");
    // Still accepting: new clients are asked to try elsewhere, and polls get what was published before.
    tokio::select! {
        () = &mut accepting => {}
        () = connections.wait() => {}
        () = sleep(window) => {}
    }
    info!(cut_off = connections.len(), "stopped");
    drop((accepting, listening));
    end_traces(&app).await;
    Ok(())
}

/// Has the last spans sent.
async fn end_traces(app: &App) {
    if let Some(traces) = app.traces() {
        traces.end().await;
    }
}

/// Accepts connections, each into a task of its own; never ends.
async fn accept(listener: Arc<TcpListener>, app: Arc<App>, routes: Routes, connections: TaskTracker) {
    let mut failing = false;
    loop {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => {
                failing = false;
                accepted
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
        // An IPv4 client of an IPv6 listener has an address that is mapped into IPv6.
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let (place, seat) = match app.admission.enter_address(address.ip()) {
            Entrance::Served(seat) => (app.admission.enter(), seat),
            Entrance::Refused(seat) => (app.admission.enter_beyond_address(), Some(seat)),
            Entrance::Closed => continue,
        };
        prepare(&stream, &app);
        let overflow = place.overflow().cloned();
        let peer = Peer::Address(address);
        let transport = match app.tls().map(Tls::begin) {
            None => Transport::Tcp(stream),
            Some(Ok(tls)) => Transport::Tls(Box::new(TlsStream::new(Carrier::Tcp(stream), tls))),
            Some(Err(error)) => {
                warn!(%error, "a connection cannot begin to speak TLS");
                continue;
            }
        };
        let client = Client::new(transport, peer, Arc::clone(&app), overflow.is_some(), seat);
        let task = connections.spawn(Connection::new(client, Arc::clone(&app), routes.clone(), place));
        if let Some(place) = overflow {
            place.set_task(task.abort_handle());
        }
    }
}

fn prepare(stream: &TcpStream, app: &App) {
    let config = &app.config.connections;
    // A message is written whole, so there is nothing to wait for. An error here only makes messages late.
    let _ = stream.set_nodelay(true);
    if let Err(error) = notice_dead_peers(stream, config.heartbeat, config.write_timeout) {
        debug!(%error, "a client that vanishes will be noticed late");
    }
}

/// Makes the system probe a connection that was quiet for a heartbeat, and break it when nothing is acknowledged for a
/// heartbeat, or for the write time-out if that is longer.
fn notice_dead_peers(stream: &TcpStream, heartbeat: Duration, write_timeout: Duration) -> std::io::Result<()> {
    // Probing knows whole seconds.
    let probe = heartbeat.max(Duration::from_secs(1));
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(probe).with_interval(probe))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(heartbeat.max(write_timeout)))?;
    Ok(())
}

/// Returns whether the error concerns that client alone, which has gone before it was accepted.
fn is_of_the_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
