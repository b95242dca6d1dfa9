//! The `healthcheck` command: a service's question to itself, for containers that have no other program to ask it.

use std::time::Duration;

use reqwest::{Client, StatusCode};
use tokio::time::timeout;

use crate::error_chain::with_sources;
use crate::listen::ListenAddress;
use crate::tls::use_ring;

const TIMEOUT: Duration = Duration::from_secs(3);

/// The most bytes of an answer that are read.
const MOST: usize = 64 * 1024;

/// The reason why a service counts as not ready.
#[derive(Debug, thiserror::Error)]
pub enum HealthcheckError {
    /// The service does not answer in time.
    #[error("no answer from {0} within {seconds} s", seconds = TIMEOUT.as_secs())]
    NoAnswer(ListenAddress),
    /// The service cannot be reached.
    #[error("cannot ask {0}: {1}")]
    Unreachable(ListenAddress, String),
    /// The service says that it is not ready.
    #[error("{0} is not ready: {1}")]
    NotReady(ListenAddress, String),
}

/// Asks the service that listens on `address` for `/readyz`. Over TLS it takes any certificate, since it asks its own machine, and has no
/// secret.
///
/// # Errors
/// When it does not answer 200 within 3 seconds.
pub async fn ask(address: impl Into<ListenAddress>, tls: bool) -> Result<(), HealthcheckError> {
    let address = address.into();
    let answer = timeout(TIMEOUT, get_readyz(address, tls)).await.map_err(|_| HealthcheckError::NoAnswer(address))?;
    match answer.map_err(|error| HealthcheckError::Unreachable(address, with_sources(&error)))? {
        (StatusCode::OK, _) => Ok(()),
        (status, body) => Err(HealthcheckError::NotReady(address, format!("{status}: {body}"))),
    }
}

/// Returns the answer of the first address at which the service can be reached.
async fn get_readyz(address: ListenAddress, tls: bool) -> Result<(StatusCode, String), reqwest::Error> {
    use_ring();
    let client = Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).build()?;
    let scheme = if tls { "https" } else { "http" };
    let mut addresses = address.reachable().into_iter().peekable();
    loop {
        let address = addresses.next().expect("there is at least one");
        match client.get(format!("{scheme}://{address}/readyz")).send().await {
            Err(error) if error.is_connect() && addresses.peek().is_some() => {}
            answer => return read(answer?).await,
        }
    }
}

async fn read(mut answer: reqwest::Response) -> Result<(StatusCode, String), reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await?.filter(|_| body.len() < MOST) {
        body.extend_from_slice(&chunk);
    }
    Ok((answer.status(), String::from_utf8_lossy(&body).into_owned()))
}
