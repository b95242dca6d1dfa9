//! A connection between browser and service that can be cut.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::PATIENCE;

/// Passes bytes to a service and back, until it is cut. It ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    whole: Arc<watch::Sender<bool>>,
    refused: watch::Receiver<usize>,
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
        let whole = Arc::new(watch::Sender::new(true));
        let (refuse, refused) = watch::channel(0);
        let task = tokio::spawn({
            let whole = Arc::clone(&whole);
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    if *whole.borrow() {
                        tokio::spawn(pass(client, service, whole.subscribe()));
                    } else {
                        refuse.send_modify(|count| *count += 1);
                    }
                }
            }
        });
        Ok(Self { address, whole, refused, task })
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Closes all connections, and from now on every new one at once.
    pub fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// Passes new connections on again.
    pub fn mend(&self) {
        self.whole.send_replace(true);
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

async fn pass(mut client: TcpStream, service: SocketAddr, mut whole: watch::Receiver<bool>) {
    let Ok(mut server) = TcpStream::connect(service).await else { return };
    // When either end closes, or the connection is cut, both ends close with this function.
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        _ = whole.wait_for(|whole| !whole) => {}
    }
}
