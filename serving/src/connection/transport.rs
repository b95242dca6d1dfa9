//! The transport: the carrier of a connection's bytes.
//!
//! Everything above this file is the same whatever the transport is. A transport is polled as tokio's streams are:
//! `Pending` means that the waker is woken once it is worth trying again.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::http2_stream::Http2Stream;
use super::pipe::NearEnd;
use super::tls_stream::TlsStream;
use super::upgraded::UpgradedStream;

/// A connection's bytes, in and out.
#[derive(Debug)]
pub(crate) enum Transport {
    Tcp(TcpStream),
    Tls(Box<TlsStream>),
    /// One of the answers of a connection over HTTP/2.
    Http2(Box<Http2Stream>),
    /// A WebSocket of a connection over HTTP/2.
    Upgraded(Box<UpgradedStream>),
    /// A pipe in memory, for tests.
    Memory(NearEnd),
}

impl Transport {
    /// Waits until reading finds something: bytes, the end, or an error.
    pub(crate) fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(cx).map(drop),
            Self::Tls(stream) => stream.poll_readable(cx),
            // A client that goes takes the whole answer with it.
            Self::Http2(_) => Poll::Pending,
            Self::Upgraded(stream) => stream.poll_readable(cx),
            Self::Memory(pipe) => pipe.poll_readable(cx),
        }
    }

    /// Returns whether the client has chosen HTTP/2.
    pub(super) fn speaks_http2(&self) -> bool {
        matches!(self, Self::Tls(stream) if stream.speaks_http2())
    }

    /// The number of bytes that the client's system has acknowledged; `None` where that is not known.
    pub(super) fn acknowledged(&self) -> Option<u64> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Tcp(stream) => kernel::acknowledged(stream),
            #[cfg(target_os = "linux")]
            Self::Tls(stream) => stream.tcp().and_then(kernel::acknowledged),
            _ => None,
        }
    }

    /// Writes as much of the parts as is taken now, one after the other.
    pub(crate) fn poll_write_parts(&mut self, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match parts {
            // The simpler system call is the faster one.
            [part] => Pin::new(self).poll_write(cx, part),
            parts => Pin::new(self).poll_write_vectored(cx, parts),
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => stream.poll_read(cx, buf),
            Self::Http2(_) => Poll::Pending,
            Self::Upgraded(stream) => stream.poll_read(cx, buf),
            Self::Memory(pipe) => pipe.poll_read(cx, buf).map(Ok),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => stream.poll_write_parts(cx, &[IoSlice::new(buf)]),
            Self::Http2(stream) => {
                stream.push([Bytes::copy_from_slice(buf)]);
                Poll::Ready(Ok(buf.len()))
            }
            Self::Upgraded(stream) => stream.poll_write(cx, buf),
            Self::Memory(pipe) => pipe.poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => stream.poll_write_parts(cx, bufs),
            Self::Http2(stream) => {
                stream.push(bufs.iter().map(|buf| Bytes::copy_from_slice(buf)));
                Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()))
            }
            Self::Upgraded(stream) => stream.poll_write(cx, first(bufs)),
            Self::Memory(pipe) => pipe.poll_write(cx, first(bufs)),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            // The end of TLS. Everything else that it cannot send whole, it has not taken.
            Self::Tls(stream) => stream.poll_flush(cx),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => stream.poll_shutdown(cx),
            Self::Http2(_) => Poll::Ready(Ok(())),
            Self::Upgraded(stream) => stream.poll_shutdown(cx),
            Self::Memory(pipe) => {
                pipe.shut_down();
                Poll::Ready(Ok(()))
            }
        }
    }
}

/// The first buffer that has something.
fn first<'a>(bufs: &'a [IoSlice<'_>]) -> &'a [u8] {
    bufs.iter().find(|buf| !buf.is_empty()).map_or(&[], |buf| buf)
}

#[cfg(target_os = "linux")]
mod kernel {
    use nix::getsockopt_impl;
    use nix::libc;
    use nix::sys::socket::getsockopt;
    use nix::sys::socket::sockopt::GetStruct;
    use tokio::net::TcpStream;

    /// The first 128 bytes of `struct tcp_info` (linux/tcp.h), the last eight of which are `tcpi_bytes_acked`.
    type Info = [u64; 16];

    #[derive(Clone, Copy)]
    struct TcpInfo;

    getsockopt_impl!(TcpInfo, libc::IPPROTO_TCP, libc::TCP_INFO, Info, GetStruct<Info>);

    pub(super) fn acknowledged(stream: &TcpStream) -> Option<u64> {
        getsockopt(stream, TcpInfo).ok().map(|info| info[15])
    }
}
