//! An attacker's connection.

use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::{Buf, BytesMut};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::ground::Ground;
use crate::load::Head;

/// The longest time for connecting.
const PATIENCE: Duration = Duration::from_secs(5);

/// The bytes that are read at a time.
const BUFFER: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Client<'a> {
    stream: TcpStream,
    ground: &'a Ground,
    /// The bytes that were read and not yet used.
    buffer: BytesMut,
}

impl<'a> Client<'a> {
    pub(super) async fn connect(ground: &'a Ground) -> anyhow::Result<Self> {
        let stream =
            timeout(PATIENCE, TcpStream::connect(ground.address)).await.context("connecting took too long")??;
        stream.set_nodelay(true)?;
        // Dropped, it is reset, so that connections which are cut do not use up this machine's ports.
        SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
        ground.toll.connected();
        Ok(Self { stream, ground, buffer: BytesMut::new() })
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        Ok(self.stream.write_all(bytes).await?)
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
        ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the server closed the connection");
        Ok(())
    }

    /// Reads some bytes, at most so many, and throws them away.
    pub(super) async fn read(&mut self, most: usize) -> anyhow::Result<()> {
        let mut bytes = [0; 4096];
        let most = most.min(bytes.len());
        ensure!(self.stream.read(&mut bytes[..most]).await? > 0, "the server closed the connection");
        Ok(())
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
