//! A client that sends any bytes, as well-behaved clients never would.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use reqwest::RequestBuilder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;

use crate::soon::soon;

/// A TCP connection and what has been read from it.
#[derive(Debug)]
pub struct RawClient {
    stream: TcpStream,
    read: Vec<u8>,
    /// The bytes that are not decoded yet, where chunks are.
    encoded: Option<Vec<u8>>,
    has_last_chunk: bool,
}

impl RawClient {
    /// Connects.
    ///
    /// # Panics
    /// When the server does not listen, as the functions that follow when it does not do its part in time.
    pub async fn connect(address: SocketAddr) -> Self {
        Self::new(soon(TcpStream::connect(address)).await)
    }

    /// Connects with a receive buffer as small as the system allows, so that a client that does not read soon blocks the
    /// server.
    pub async fn connect_narrow(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(1).expect("a small buffer");
        Self::new(soon(socket.connect(address)).await)
    }

    /// Connects and sends a request that has no body.
    pub async fn begin(address: SocketAddr, request: RequestBuilder) -> Self {
        let request = request.build().expect("it is well-formed");
        let query = request.url().query().map(|query| format!("?{query}")).unwrap_or_default();
        let mut head = format!("GET {}{query} HTTP/1.1\r\nhost: test\r\n", request.url().path());
        for (name, value) in request.headers() {
            head.push_str(&format!("{name}: {}\r\n", value.to_str().expect("it is text")));
        }
        let mut client = Self::connect(address).await;
        client.send(head + "\r\n").await;
        client
    }

    fn new(connected: io::Result<TcpStream>) -> Self {
        Self { stream: connected.expect("the server listens"), read: Vec::new(), encoded: None, has_last_chunk: false }
    }

    /// The address of this end, as the server sees it.
    pub fn local_address(&self) -> SocketAddr {
        self.stream.local_addr().expect("it is connected")
    }

    /// Takes what follows as chunks (RFC 9112, section 7.1): from here on, the content of whole chunks is read.
    pub fn decode_chunks(&mut self) {
        self.encoded = Some(std::mem::take(&mut self.read));
        self.decode();
    }

    /// Returns whether the last chunk has come: the server ended the body, and did not only close the connection.
    pub fn has_last_chunk(&self) -> bool {
        self.has_last_chunk
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

    /// Returns the text that has come and has not been taken, without waiting for more.
    pub fn received(&mut self) -> String {
        while let Ok(1..) = self.stream.try_read_buf(self.encoded.as_mut().unwrap_or(&mut self.read)) {}
        self.decode();
        String::from_utf8_lossy(&self.read).into_owned()
    }

    /// Reads until the server closes, by an end or a reset, and returns everything.
    #[track_caller]
    pub fn read_to_end(&mut self) -> impl Future<Output = String> {
        soon(async move {
            while let Ok(1..) = self.stream.read_buf(self.encoded.as_mut().unwrap_or(&mut self.read)).await {}
            self.decode();
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
            self.encoded.as_mut().unwrap_or(&mut self.read).extend_from_slice(&buffer[..read]);
        }
        self.decode();
    }

    /// Ends the sending side.
    pub async fn finish(&mut self) {
        soon(self.stream.shutdown()).await.expect("the connection stands");
    }

    async fn read_more(&mut self) {
        let into = self.encoded.as_mut().unwrap_or(&mut self.read);
        let read = self.stream.read_buf(into).await.expect("the server sends");
        self.decode();
        assert!(read > 0, "the server closed after {:?}", String::from_utf8_lossy(&self.read));
    }

    /// Decodes the chunks that have come whole.
    fn decode(&mut self) {
        let Some(encoded) = &mut self.encoded else { return };
        while let Some(line) = encoded.windows(2).position(|window| window == b"\r\n") {
            let size = std::str::from_utf8(&encoded[..line]).expect("a size is text");
            let size = usize::from_str_radix(size, 16).unwrap_or_else(|_| panic!("{size:?} is no size of a chunk"));
            let (begin, end) = (line + 2, line + 2 + size);
            if encoded.len() < end + 2 {
                return;
            }
            assert!(!self.has_last_chunk, "nothing follows the last chunk");
            assert_eq!(&encoded[end..end + 2], b"\r\n", "a line end closes a chunk");
            self.read.extend_from_slice(&encoded[begin..end]);
            encoded.drain(..end + 2);
            self.has_last_chunk = size == 0;
        }
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
