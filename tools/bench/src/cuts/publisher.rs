//! Publishers of numbered messages, at a rate.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use fastrand::Rng;
use http_body_util::Full;
use hyper::{Request, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::events::{Clock, text};
use super::ledger::{Cursor, Entry};
use crate::http::{Connection, read_body};
use crate::target::Publish;

/// The longest time until an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The pause before a refused message is sent again.
const PAUSE: Duration = Duration::from_millis(20);

/// The mean number of messages over one connection, where there are several addresses.
const A_CONNECTION: u8 = 10;

/// The published messages.
#[derive(Debug, Default)]
pub(crate) struct Published {
    pub(crate) entries: Vec<Entry>,
    pub(crate) uncertain: Vec<u64>,
    pub(crate) trouble: Trouble,
}

/// The failures that publishers met with.
#[derive(Debug, Default, Clone, Copy, Serialize)]
pub struct Trouble {
    /// Attempts that were refused, or could not connect.
    pub refused: u64,
    /// Attempts without an answer.
    pub unanswered: u64,
    /// Messages of which an earlier attempt turned out to have been accepted.
    pub known: u64,
}

impl Published {
    pub(crate) fn add(&mut self, other: Self) {
        self.entries.extend(other.entries);
        self.uncertain.extend(other.uncertain);
        self.trouble.refused += other.trouble.refused;
        self.trouble.unanswered += other.trouble.unanswered;
        self.trouble.known += other.trouble.known;
    }
}

/// A publisher, which publishes one message after the other.
#[derive(Debug)]
pub(crate) struct Publisher {
    /// The addresses to which it publishes; any of them will do for any message.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) publish: Publish,
    pub(crate) run: u32,
    pub(crate) topics: Arc<[String]>,
    pub(crate) bytes: usize,
    pub(crate) clock: Clock,
    /// The next number, of all publishers.
    pub(crate) numbers: Arc<AtomicU64>,
    /// Unanswered messages are repeated under the same key.
    pub(crate) repeat: bool,
    pub(crate) rng: Rng,
    /// One connection for each address.
    pub(crate) connections: HashMap<SocketAddr, Connection>,
    /// Absent where the server is open.
    pub(crate) token: Option<String>,
}

/// The outcome of one attempt.
enum Attempt {
    Taken {
        cursor: Option<Cursor>,
        known: bool,
    },
    NotTaken,
    /// It was sent, and there was no answer.
    Unknown,
}

#[derive(Deserialize)]
struct Receipt {
    id: String,
}

impl Publisher {
    /// Publishes on random topics until it is stopped.
    pub(crate) async fn run(mut self, rate: f64, stop: CancellationToken) -> anyhow::Result<(Self, Published)> {
        let mut published = Published::default();
        let mut ticks = interval(Duration::from_secs_f64(1.0 / rate));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok((self, published)),
                _ = ticks.tick() => {}
            }
            let topic = self.rng.usize(..self.topics.len());
            if !self.one(topic, &mut published).await? {
                // The rate is not made up for after a pause.
                ticks.reset();
            }
        }
    }

    /// Publishes a last message on every topic, by which clients are seen to have caught up. Returns the numbers.
    pub(crate) async fn finish(&mut self, published: &mut Published) -> anyhow::Result<Vec<u64>> {
        let mut last = Vec::new();
        for topic in 0..self.topics.len() {
            let before = published.entries.len();
            // Without an answer it may be lost, so another one is published.
            while published.entries.len() == before {
                self.one(topic, published).await?;
            }
            last.extend(published.entries.last().map(|entry| entry.number));
        }
        Ok(last)
    }

    /// Publishes one message. Returns whether the first attempt succeeded.
    pub(crate) async fn one(&mut self, topic: usize, published: &mut Published) -> anyhow::Result<bool> {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let sent = self.clock.now();
        let mut well = true;
        loop {
            match self.attempt(number, topic).await? {
                Attempt::Taken { cursor, known } => {
                    published.trouble.known += u64::from(known);
                    let accepted = self.clock.now();
                    published.entries.push(Entry { number, topic, sent, accepted, cursor });
                    return Ok(well);
                }
                Attempt::Unknown if !self.repeat => {
                    published.uncertain.push(number);
                    published.trouble.unanswered += 1;
                    return Ok(false);
                }
                repeat => {
                    match repeat {
                        Attempt::Unknown => published.trouble.unanswered += 1,
                        _ => published.trouble.refused += 1,
                    }
                    well = false;
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn attempt(&mut self, number: u64, topic: usize) -> anyhow::Result<Attempt> {
        let address = match self.addresses[..] {
            [only] => only,
            ref several => several[self.rng.usize(..several.len())],
        };
        let mut connection = match self.connections.remove(&address) {
            Some(connection) => connection,
            None => match Connection::open(address, PATIENCE).await {
                Ok(connection) => connection,
                Err(_) => return Ok(Attempt::NotTaken),
            },
        };
        let path = self.publish.path.replace("{topic}", &self.topics[topic]);
        let mut request = Request::post(&path).header("content-type", "text/plain; charset=utf-8");
        if self.repeat {
            request = request.header("idempotency-key", format!("bench-{:08x}-{number}", self.run));
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Full::new(Bytes::from(text(self.run, number, self.bytes))))?;
        let Ok(response) = connection.send(request, PATIENCE).await else { return Ok(Attempt::Unknown) };
        let status = response.status();
        let body = read_body(response.into_body(), PATIENCE).await;
        if status.is_success() {
            let cursor = match (self.publish.places, &body) {
                (false, _) => None,
                (true, Ok(body)) => {
                    let receipt: Receipt = serde_json::from_slice(body).context("the answer to a publication")?;
                    Some(Cursor::parse(&receipt.id).context("the cursor of a publication")?)
                }
                (true, Err(_)) => return Ok(Attempt::Unknown),
            };
            // With several addresses, a new connection now and then leads to another replica.
            let keep = self.addresses.len() == 1 || self.rng.u8(..A_CONNECTION) > 0;
            if body.is_ok() && keep {
                self.connections.insert(address, connection);
            }
            return Ok(Attempt::Taken { cursor, known: status == StatusCode::OK });
        }
        match status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                Ok(Attempt::NotTaken)
            }
            _ => bail!("POST {path} was answered {status}: {}", String::from_utf8_lossy(&body.unwrap_or_default())),
        }
    }
}
