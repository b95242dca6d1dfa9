//! A client that sends any bytes, as well-behaved clients never would.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;

use crate::soon::soon;

/// A TCP connection and what has been read from it.
#[derive(Debug)]
pub struct RawClient {
    stream: TcpStream,
    read: Vec<u8>,
}

impl RawClient {
    /// Connects.
    ///
    /// # Panics
    /// When the server does not listen, as the functions that follow when it does not do its part in time.
    pub async fn connect(address: SocketAddr) -> Self {
        Self { stream: soon(TcpStream::connect(address)).await.expect("the server listens"), read: Vec::new() }
    }

    /// Connects with a receive buffer as small as the system allows, so that a client that does not read soon blocks the
    /// server.
    pub async fn connect_narrow(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(1).expect("a small buffer");
        Self { stream: soon(socket.connect(address)).await.expect("the server listens"), read: Vec::new() }
    }

    /// Sends bytes.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        soon(self.stream.write_all(bytes.as_ref())).await.expect("the server takes bytes");
    }

    /// Sends bytes, unless the server has closed. Returns whether they were sent.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        soon(self.stream.write_all(bytes.as_ref())).await.is_ok()
    }

    /// Reads until what has been read contains a text, and returns all up to the end of it. What follows is kept.
    #[track_caller]
    pub fn read_until(&mut self, text: &str) -> impl Future<Output = String> {
        // Patience is for the text: other bytes that come all the while are no progress.
        soon(async move {
            let wanted = text.as_bytes();
            let mut searched = 0;
            loop {
                if let Some(at) = self.read[searched..].windows(wanted.len()).position(|window| window == wanted) {
                    return String::from_utf8_lossy(&self.take(searched + at + wanted.len())).into_owned();
                }
                searched = self.read.len().saturating_sub(wanted.len() - 1);
                self.read_more().await;
            }
        })
    }

    /// Reads this many bytes.
    #[track_caller]
    pub fn read_exact(&mut self, length: usize) -> impl Future<Output = Vec<u8>> {
        soon(async move {
            while self.read.len() < length {
                self.read_more().await;
            }
            self.take(length)
        })
    }

    /// Waits until there is something to read.
    pub async fn readable(&mut self) {
        if self.read.is_empty() {
            soon(self.read_more()).await;
        }
    }

    /// Reads until the server closes, by an end or a reset, and returns everything.
    #[track_caller]
    pub fn read_to_end(&mut self) -> impl Future<Output = String> {
        soon(async move {
            while let Ok(1..) = self.stream.read_buf(&mut self.read).await {}
            String::from_utf8_lossy(&std::mem::take(&mut self.read)).into_owned()
        })
    }

    /// Reads nothing, and sends a byte now and then, until the server has closed.
    pub async fn cut_off(&mut self) {
        let closed = async {
            while self.stream.write_all(b" ").await.is_ok() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        soon(closed).await;
    }

    /// Reads a few bytes at a time, evenly over a time.
    pub async fn read_slowly(&mut self, bytes: usize, steps: usize, time: Duration) {
        let mut pace = tokio::time::interval(time / u32::try_from(steps).expect("few steps"));
        let mut buffer = vec![0; bytes / steps];
        for _ in 0..steps {
            pace.tick().await;
            let read = soon(self.stream.read(&mut buffer)).await.expect("the connection stands");
            assert!(read > 0, "the server closed");
            self.read.extend_from_slice(&buffer[..read]);
        }
    }

    /// Ends the sending side.
    pub async fn finish(&mut self) {
        soon(self.stream.shutdown()).await.expect("the connection stands");
    }

    async fn read_more(&mut self) {
        let read = self.stream.read_buf(&mut self.read).await.expect("the server sends");
        assert!(read > 0, "the server closed after {:?}", String::from_utf8_lossy(&self.read));
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let rest = self.read.split_off(length);
        std::mem::replace(&mut self.read, rest)
    }
}

/// Asks for a path on a connection of its own and returns the whole answer, head and body.
pub async fn get(address: SocketAddr, path: &str) -> String {
    let mut client = RawClient::connect(address).await;
    client.send(format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")).await;
    client.read_to_end().await
}
