//! The `healthcheck` command: a service's question to itself, for containers that have no other program to ask it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::listen::ListenAddress;

const TIMEOUT: Duration = Duration::from_secs(3);

/// The reason why a service counts as not ready.
#[derive(Debug, thiserror::Error)]
pub enum HealthcheckError {
    /// The service does not answer in time.
    #[error("no answer from {0} within {seconds} s", seconds = TIMEOUT.as_secs())]
    NoAnswer(ListenAddress),
    /// The service cannot be reached.
    #[error("cannot ask {0}")]
    Unreachable(ListenAddress, #[source] io::Error),
    /// The service says that it is not ready.
    #[error("{0} is not ready: {1}")]
    NotReady(ListenAddress, String),
}

/// Asks the service that listens on `address` for `/readyz`.
///
/// # Errors
/// When it does not answer 200 within 3 seconds.
pub async fn ask(address: impl Into<ListenAddress>) -> Result<(), HealthcheckError> {
    let address = address.into();
    let answer = tokio::time::timeout(TIMEOUT, get_readyz(&address.reachable()))
        .await
        .map_err(|_| HealthcheckError::NoAnswer(address))?
        .map_err(|error| HealthcheckError::Unreachable(address, error))?;
    match answer.lines().next() {
        Some(status) if status.starts_with("HTTP/1.1 200 ") => Ok(()),
        _ => {
            let reason = answer.lines().last().unwrap_or("empty answer");
            Err(HealthcheckError::NotReady(address, reason.to_owned()))
        }
    }
}

async fn get_readyz(addresses: &[SocketAddr]) -> io::Result<String> {
    let mut stream = TcpStream::connect(addresses).await?;
    let address = stream.peer_addr()?;
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(64 * 1024).read_to_string(&mut answer).await?;
    Ok(answer)
}
