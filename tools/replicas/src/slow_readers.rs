//! Clients of an event stream that read older messages slowly, and the memory that they cost the service.

use std::fs;
use std::net::SocketAddr;

use async_nats::jetstream::Context;
use testkit::soon;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};

/// The topic that all of them follow.
const TOPIC: &str = "slow";

/// The receive buffer of a client, in bytes, which is small, so that the service is blocked soon after the client stops.
const RECEIVE_BUFFER: u32 = 32 << 10;

/// The most messages that are published before they are confirmed.
const UNCONFIRMED: usize = 64;

/// Messages on the topic, each with its number as the beginning of its text.
#[derive(Debug, Clone, Copy)]
pub struct NumberedMessages {
    /// The number of messages.
    pub count: usize,
    /// The length of each text, in bytes.
    pub bytes: usize,
}

impl NumberedMessages {
    /// Stores the messages as any NATS client can.
    ///
    /// # Panics
    /// When NATS does not confirm them.
    pub async fn store(self, jetstream: &Context) {
        for first in (0..self.count).step_by(UNCONFIRMED) {
            let mut acks = Vec::new();
            for number in first..self.count.min(first + UNCONFIRMED) {
                let text = format!("{number} {}", "x".repeat(self.bytes));
                acks.push(jetstream.publish(format!("push.{TOPIC}"), text.into()).await.expect("it is sent"));
            }
            for ack in acks {
                soon(ack.into_future()).await.expect("it is confirmed");
            }
        }
    }
}

/// A client of an event stream.
#[derive(Debug)]
pub struct SlowReader {
    stream: BufReader<TcpStream>,
    next: usize,
    end: usize,
}

/// All of these panic when the service does not do its part.
impl SlowReader {
    /// Connects a number of clients, whose positions are spread over the messages. `before` is the cursor before the first
    /// message.
    pub async fn connect_all(
        address: SocketAddr,
        clients: usize,
        messages: NumberedMessages,
        before: &str,
    ) -> Vec<Self> {
        let (epoch, offset) = before.split_once('-').expect("it is a cursor");
        let offset: usize = offset.parse().expect("it is a cursor");
        let mut readers = Vec::new();
        for client in 0..clients {
            // Most of the messages are after the last position, so that all clients have older messages to read.
            let next = client * messages.count / clients / 2;
            let cursor = format!("{epoch}-{}", offset + next);
            readers.push(Self::connect(address, &cursor, next, messages.count).await);
        }
        readers
    }

    async fn connect(address: SocketAddr, cursor: &str, next: usize, end: usize) -> Self {
        let socket = TcpSocket::new_v4().expect("the system has a socket");
        socket.set_recv_buffer_size(RECEIVE_BUFFER).expect("the system takes the size");
        let mut stream = soon(socket.connect(address)).await.expect("the service listens");
        let request = format!("GET /events?topic={TOPIC}&since={cursor} HTTP/1.1\r\nhost: test\r\n\r\n");
        soon(stream.write_all(request.as_bytes())).await.expect("the service reads");
        Self { stream: BufReader::new(stream), next, end }
    }

    /// Returns whether the client has not yet read everything.
    pub fn has_more(&self) -> bool {
        self.next < self.end
    }

    /// Reads the next message, which has to be the one after the last.
    pub async fn read(&mut self) {
        let mut line = String::new();
        loop {
            line.clear();
            let read = soon(self.stream.read_line(&mut line)).await.expect("the stream is text");
            assert!(read > 0, "the stream has ended before message {}", self.next);
            assert!(!line.starts_with("event: gap"), "there is a gap before message {}", self.next);
            if let Some(text) = line.strip_prefix("data: ") {
                let number = text.split(' ').next().and_then(|number| number.parse().ok());
                assert_eq!(number, Some(self.next), "the messages come in order");
                self.next += 1;
                return;
            }
        }
    }

    /// Reads everything that is left.
    pub async fn read_all(&mut self) {
        while self.has_more() {
            self.read().await;
        }
    }
}

/// Returns the resident memory of a process, in bytes. `None` where the system does not tell.
pub fn resident_memory(process: u32) -> Option<usize> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}
