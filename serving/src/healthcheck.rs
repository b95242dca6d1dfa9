//! The `healthcheck` command: a service's question to itself, for containers that have no other program to ask it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks the service that listens on `listen` for `/readyz`. An error if it does not answer 200 within 3 seconds.
pub async fn ask(listen: SocketAddr) -> anyhow::Result<()> {
    let address = SocketAddr::new(reachable(listen.ip()), listen.port());
    let answer = tokio::time::timeout(TIMEOUT, get_readyz(address))
        .await
        .with_context(|| format!("no answer from {address} within {} s", TIMEOUT.as_secs()))?
        .with_context(|| format!("cannot ask {address}"))?;
    match answer.lines().next() {
        Some(status) if status.starts_with("HTTP/1.1 200 ") => Ok(()),
        _ => bail!("{address} is not ready: {}", answer.lines().last().unwrap_or("empty answer")),
    }
}

async fn get_readyz(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(64 * 1024).read_to_string(&mut answer).await?;
    Ok(answer)
}

/// One cannot connect to "any address", which services listen on.
fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}
