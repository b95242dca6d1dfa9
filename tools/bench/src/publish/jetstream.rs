//! A NATS server without a service before it: messages are published into a stream, and the stream confirms each.
//!
//! All publications in flight share one connection, as NATS's own clients do it, which costs NATS less than a connection for each.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use memchr::memmem;
use serde::Deserialize;

use super::confirmed::{Began, WARM_UP};
use super::work::{Topics, Work};
use crate::histogram::Histogram;
use crate::load::{PATIENCE, STAMP, Stamp};
use crate::measure::Sample;
use crate::measure::figure::STORED;
use crate::process::Process;

/// The name of the stream.
const STREAM: &str = "BENCH";

/// The beginning of the subjects to which answers go.
const INBOX: &str = "_INBOX.bench.";

/// Measures a server. Returns its version too.
pub(super) fn measure(work: &Work, port: u16, servers: &[Process]) -> anyhow::Result<(String, Sample)> {
    let (mut client, version) = Client::connect(port)?;
    let topics = Topics::new();
    // The settings that the services give their stream, as far as they cost anything; nothing is given up meanwhile.
    let subjects: Vec<String> = (0..work.topics).map(|topic| topics.name(topic)).collect();
    let stream = serde_json::json!({ "name": STREAM, "subjects": subjects, "storage": "file", "retention": "limits" });
    client.request(&format!("$JS.API.STREAM.CREATE.{STREAM}"), &stream.to_string())?;

    let mut publishers = Publishers::new(work, subjects);
    publishers.run(&mut client, WARM_UP)?;
    publishers.confirmations = Histogram::default();
    let before = publishers.published;
    let began = Began::now(servers)?;
    publishers.run(&mut client, work.length)?;
    let mut sample = began.until_now(servers, publishers.published - before, &publishers.confirmations)?;

    let info = client.request(&format!("$JS.API.STREAM.INFO.{STREAM}"), "")?;
    let stored = info["state"]["messages"].as_u64().context("the number of messages in the stream")?;
    sample.add(&STORED, stored as f64);
    if stored != publishers.published {
        sample.faults.push(format!("the stream holds {stored} of {} messages", publishers.published));
    }
    Ok((version, sample))
}

/// The version of a server.
pub(super) fn version(port: u16) -> anyhow::Result<String> {
    Ok(Client::connect(port)?.1)
}

/// All publications in flight.
struct Publishers {
    subjects: Vec<String>,
    message: Vec<u8>,
    /// The publications in flight, by the end of the subject to which the answer goes, with the time at which each began.
    begun: HashMap<u16, u64>,
    lanes: u16,
    clock: Instant,
    published: u64,
    confirmations: Histogram,
}

impl Publishers {
    fn new(work: &Work, subjects: Vec<String>) -> Self {
        Self {
            subjects,
            message: (0..work.bytes).map(|index| b'a' + (index % 26) as u8).collect(),
            begun: HashMap::new(),
            lanes: work.in_flight as u16,
            clock: Instant::now(),
            published: 0,
            confirmations: Histogram::default(),
        }
    }

    /// Publishes for some time, and waits until everything is confirmed.
    fn run(&mut self, client: &mut Client, length: std::time::Duration) -> anyhow::Result<()> {
        let end = Instant::now() + length;
        let mut request = Vec::new();
        for lane in 0..self.lanes {
            self.publish(lane, &mut request)?;
        }
        while !self.begun.is_empty() {
            client.stream.write_all(&request)?;
            request.clear();
            client.more()?;
            while let Some(Message { subject, payload }) = client.next()? {
                let answer: Answer = serde_json::from_slice(&payload)?;
                ensure!(answer.error.is_none() && answer.seq > 0, "a publication was not stored: {answer:?}");
                let lane = subject.strip_prefix(INBOX).context("an answer to someone else")?.parse()?;
                let begun = self.begun.remove(&lane).context("an answer without a publication")?;
                self.confirmations.add(self.now() - begun);
                if Instant::now() < end {
                    self.publish(lane, &mut request)?;
                }
            }
        }
        Ok(())
    }

    fn publish(&mut self, lane: u16, request: &mut Vec<u8>) -> anyhow::Result<()> {
        let begun = self.now();
        self.published += 1;
        let subject = &self.subjects[self.published as usize % self.subjects.len()];
        Stamp { lane, number: self.published as u32, begun }.write(&mut self.message[..STAMP]);
        write!(request, "PUB {subject} {INBOX}{lane} {}\r\n", self.message.len())?;
        request.extend_from_slice(&self.message);
        request.extend_from_slice(b"\r\n");
        self.begun.insert(lane, begun);
        Ok(())
    }

    fn now(&self) -> u64 {
        self.clock.elapsed().as_nanos() as u64
    }
}

/// An answer of the stream to a publication.
#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    seq: u64,
    error: Option<serde_json::Value>,
}

/// A message that the server sent.
struct Message {
    subject: String,
    payload: Vec<u8>,
}

/// A connection by the protocol of NATS clients, which subscribes to the answers of its own publications.
struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// The number of bytes at the beginning of the buffer that are used up.
    used: usize,
}

impl Client {
    fn connect(port: u16) -> anyhow::Result<(Self, String)> {
        #[derive(Deserialize)]
        struct Info {
            version: String,
        }
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("connecting to NATS")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut client = Self { stream, buffer: Vec::new(), used: 0 };
        let line = loop {
            match client.line() {
                Some(line) => break line,
                None => client.more()?,
            }
        };
        let info = line.strip_prefix("INFO ").context("NATS does not begin with INFO")?;
        let info: Info = serde_json::from_str(info).context("the INFO of NATS")?;
        let begin = format!("CONNECT {{\"verbose\":false,\"pedantic\":false}}\r\nSUB {INBOX}* 1\r\n");
        client.stream.write_all(begin.as_bytes())?;
        Ok((client, format!("nats-server {}", info.version)))
    }

    /// Publishes a request and waits for its answer.
    fn request(&mut self, subject: &str, body: &str) -> anyhow::Result<serde_json::Value> {
        write!(self.stream, "PUB {subject} {INBOX}api {}\r\n{body}\r\n", body.len())?;
        let answer = loop {
            match self.next()? {
                Some(answer) => break answer,
                None => self.more()?,
            }
        };
        let answer: serde_json::Value = serde_json::from_slice(&answer.payload)?;
        ensure!(answer["error"].is_null(), "{subject} was answered {}", answer["error"]);
        Ok(answer)
    }

    /// Reads what there is, and waits for it if there is nothing.
    fn more(&mut self) -> anyhow::Result<()> {
        self.buffer.drain(..self.used);
        self.used = 0;
        let mut piece = [0; 16 * 1024];
        let count = self.stream.read(&mut piece).context("waiting for NATS")?;
        ensure!(count > 0, "NATS closed the connection");
        self.buffer.extend_from_slice(&piece[..count]);
        Ok(())
    }

    /// The next message that has come whole.
    fn next(&mut self) -> anyhow::Result<Option<Message>> {
        loop {
            let before = self.used;
            let Some(line) = self.line() else { return Ok(None) };
            let Some(rest) = line.strip_prefix("MSG ") else {
                match line.as_str() {
                    "PING" => self.stream.write_all(b"PONG\r\n")?,
                    "PONG" | "+OK" => {}
                    line if line.starts_with("INFO ") => {}
                    other => bail!("NATS sent {other}"),
                }
                continue;
            };
            let mut words = rest.split(' ');
            let subject = words.next().context("a message without a subject")?.to_owned();
            let length: usize = words.next_back().context("a message without a length")?.parse()?;
            let Some(payload) = self.buffer.get(self.used..self.used + length + 2) else {
                self.used = before;
                return Ok(None);
            };
            let payload = payload[..length].to_vec();
            self.used += length + 2;
            return Ok(Some(Message { subject, payload }));
        }
    }

    fn line(&mut self) -> Option<String> {
        let rest = &self.buffer[self.used..];
        let length = memmem::find(rest, b"\r\n")?;
        let line = String::from_utf8_lossy(&rest[..length]).into_owned();
        self.used += length + 2;
        Some(line)
    }
}
