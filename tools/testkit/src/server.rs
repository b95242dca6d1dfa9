//! A service under test.

use std::fmt;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::soon::soon;

/// A service that runs in the test's own process, on a port that the system chose.
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Server {
    /// Starts a service. `run` gets the listener, and a future that resolves when the service is to stop. Clients can
    /// connect as soon as this returns.
    ///
    /// # Panics
    /// When the system has no port.
    pub async fn start<F, Fut, E>(run: F) -> Self
    where
        F: FnOnce(TcpListener, Stop) -> Fut,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<anyhow::Error>,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let (stop, stopped) = oneshot::channel();
        let stopped: Stop = Box::pin(async move {
            // A test that drops the server has ended.
            let _ = stopped.await;
        });
        let running = run(listener, stopped);
        let task = tokio::spawn(async move { running.await.map_err(Into::into) });
        Self { address, stop: Some(stop), task }
    }

    /// Returns the address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns the URL of a path for a WebSocket.
    pub fn ws_url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    /// Makes it begin to stop, as SIGTERM does.
    pub fn begin_stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // An error means that it has ended already, which `stopped` reports.
            let _ = stop.send(());
        }
    }

    /// Waits until it has stopped.
    ///
    /// # Panics
    /// When it ends with an error or not at all.
    pub async fn stopped(mut self) {
        self.begin_stop();
        soon(&mut self.task).await.expect("the service does not panic").expect("the service ends well");
    }
}

/// Resolves when a service is to stop.
pub type Stop = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}
