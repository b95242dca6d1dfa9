//! An attacker's connection.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bytes::{Buf, BytesMut};
use futures_util::FutureExt;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::ground::Ground;
use crate::load::Head;

/// The longest time for connecting.
const PATIENCE: Duration = Duration::from_secs(5);

/// The bytes that are read at a time.
const BUFFER: usize = 64 * 1024;

/// A connection in the clear or by TLS.
trait Socket: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin> Socket for S {}

#[derive(Debug)]
pub(super) struct Client<'a> {
    stream: Box<dyn Socket>,
    ground: &'a Ground,
    /// The bytes that were read and not yet used.
    buffer: BytesMut,
}

impl<'a> Client<'a> {
    /// Connects as honest clients do.
    pub(super) async fn connect(ground: &'a Ground) -> anyhow::Result<Self> {
        Ok(match &ground.site.door().tls {
            None => Self::new(Box::new(tcp(ground).await?), ground),
            Some(config) => Self::new(Box::new(tls(ground, Arc::clone(config)).await?), ground),
        })
    }

    /// Connects without TLS, whatever the service speaks.
    pub(super) async fn connect_in_the_clear(ground: &'a Ground) -> anyhow::Result<Self> {
        Ok(Self::new(Box::new(tcp(ground).await?), ground))
    }

    /// Connects by TLS to speak HTTP/2.
    pub(super) async fn connect_http2(ground: &'a Ground) -> anyhow::Result<Self> {
        let stream = tls(ground, Arc::new(ground.site.http2()?)).await?;
        ensure!(stream.get_ref().1.alpn_protocol() == Some(b"h2"), "the server does not speak HTTP/2");
        Ok(Self::new(Box::new(stream), ground))
    }

    fn new(stream: Box<dyn Socket>, ground: &'a Ground) -> Self {
        Self { stream, ground, buffer: BytesMut::new() }
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let sent = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        Ok(sent.await.inspect_err(|_| self.ground.toll.closed())?)
    }

    /// Reads the head of an answer. Returns its status.
    pub(super) async fn status(&mut self) -> anyhow::Result<u16> {
        Ok(self.head().await?.0)
    }

    /// Reads an answer with a length, and throws its body away. Returns its status.
    pub(super) async fn answer(&mut self) -> anyhow::Result<u16> {
        let (status, mut left) = self.head().await?;
        loop {
            let taken = left.min(self.buffer.len());
            self.buffer.advance(taken);
            left -= taken;
            if left == 0 {
                return Ok(status);
            }
            self.more().await?;
        }
    }

    /// Reads a head. Returns its status, and the length of the body if that is known.
    async fn head(&mut self) -> anyhow::Result<(u16, usize)> {
        loop {
            if let Some(head) = Head::parse(&self.buffer)? {
                let body = head.header("content-length").map_or(Ok(0), str::parse).context("content-length")?;
                let (status, length) = (head.status, head.length);
                self.buffer.advance(length);
                self.ground.toll.answered(status);
                return Ok((status, body));
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        self.buffer.reserve(BUFFER);
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(1..) => Ok(()),
            _ => self.closed(),
        }
    }

    /// Reads what has come. Returns whether there was anything.
    pub(super) fn read_now(&mut self) -> anyhow::Result<bool> {
        self.more().now_or_never().map_or(Ok(false), |read| read.map(|()| true))
    }

    /// The bytes that were read and not yet used.
    pub(super) fn buffered(&self) -> &[u8] {
        &self.buffer
    }

    /// Throws so many of these bytes away.
    pub(super) fn discard(&mut self, count: usize) {
        self.buffer.advance(count);
    }

    fn closed(&self) -> anyhow::Result<()> {
        self.ground.toll.closed();
        bail!("the server closed the connection")
    }

    /// Reads some bytes, at most so many, and throws them away.
    pub(super) async fn read(&mut self, most: usize) -> anyhow::Result<()> {
        let mut bytes = [0; 4096];
        let most = most.min(bytes.len());
        match self.stream.read(&mut bytes[..most]).await {
            Ok(1..) => Ok(()),
            _ => self.closed(),
        }
    }

    /// Reads until the server closes the connection, or for so long.
    pub(super) async fn drain(&mut self, length: Duration) -> anyhow::Result<()> {
        let reading = async {
            loop {
                self.read(usize::MAX).await?;
            }
        };
        timeout(length, reading).await.unwrap_or(Ok(()))
    }
}

/// Connects.
pub(super) async fn tcp(ground: &Ground) -> anyhow::Result<TcpStream> {
    let stream = timeout(PATIENCE, TcpStream::connect(ground.address)).await.context("connecting took too long")??;
    stream.set_nodelay(true)?;
    // Dropped, it is reset, so that connections which are cut do not use up this machine's ports.
    SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    ground.toll.connected();
    Ok(stream)
}

/// Connects, and does the handshake.
pub(super) async fn tls(ground: &Ground, config: Arc<ClientConfig>) -> anyhow::Result<TlsStream<TcpStream>> {
    let handshake = TlsConnector::from(config).connect(name(ground), tcp(ground).await?);
    let stream = timeout(PATIENCE, handshake).await.context("the handshake took too long")?;
    Ok(stream.inspect_err(|_| ground.toll.closed())?)
}

/// The name of the service in its certificate.
pub(super) fn name(ground: &Ground) -> ServerName<'static> {
    ServerName::IpAddress(ground.address.ip().into())
}
