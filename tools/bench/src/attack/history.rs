//! The messages that are there before an attack.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::ground::TOPIC;
use crate::fanout::fill_topics;
use crate::load::Door;

/// The number of topics where there are many.
const TOPICS: u32 = 20_000;

/// A large history: as many messages as a topic holds by default, 12 MB together.
const MESSAGES: usize = 1000;
const LENGTH: usize = 12_000;

/// The number of messages that are sent at once.
const BATCH: usize = 50;

/// The longest time for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy)]
pub(super) enum History {
    Empty,
    /// 12 MB on the attackers' topic, of this character.
    Large {
        byte: u8,
    },
    /// One message on each of many topics.
    Topics {
        path: &'static str,
    },
}

impl History {
    pub(super) fn fill(self, address: SocketAddr, door: &Door) -> anyhow::Result<()> {
        match self {
            Self::Empty => Ok(()),
            Self::Topics { path } => fill_topics(address, path, TOPICS),
            Self::Large { byte } => (0..MESSAGES / BATCH).try_for_each(|_| publish(address, door, byte)),
        }
    }
}

/// Publishes a batch of texts.
fn publish(address: SocketAddr, door: &Door, byte: u8) -> anyhow::Result<()> {
    let headers = door.headers(&address.to_string());
    let request = |connection: &str| {
        let head = format!(
            "POST /messages?topic={TOPIC} HTTP/1.1\r\n{headers}Connection: {connection}\r\n\
             Content-Type: text/plain\r\nContent-Length: {LENGTH}\r\n\r\n"
        );
        [head.as_bytes(), &[byte; LENGTH]].concat()
    };
    let mut stream = door.connect(address, PATIENCE).context("connecting to fill the history")?;
    let mut answers = String::new();
    for number in 1..=BATCH {
        stream.write_all(&request(if number == BATCH { "close" } else { "keep-alive" }))?;
    }
    stream.read_to_string(&mut answers)?;
    let taken = answers.matches("HTTP/1.1 201 ").count();
    ensure!(taken == BATCH, "{taken} of {BATCH} messages were taken: {answers}");
    Ok(())
}
