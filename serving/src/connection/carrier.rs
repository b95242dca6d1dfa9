//! The bytes below TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::pipe::NearEnd;

/// The bytes below TLS, in and out.
#[derive(Debug)]
pub(crate) enum Carrier {
    Tcp(TcpStream),
    /// A pipe in memory, for tests.
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests make one"))]
    Memory(NearEnd),
}

impl Carrier {
    /// The socket, if there is one.
    pub(super) fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(stream) => Some(stream),
            Self::Memory(_) => None,
        }
    }

    /// Waits until reading finds something: bytes, the end, or an error.
    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(cx).map(drop),
            Self::Memory(pipe) => pipe.poll_readable(cx),
        }
    }

    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Memory(pipe) => pipe.poll_read(cx, buf).map(Ok),
        }
    }

    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Memory(pipe) => pipe.poll_write(cx, bytes),
        }
    }

    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Memory(pipe) => {
                pipe.shut_down();
                Poll::Ready(Ok(()))
            }
        }
    }
}
