//! A publisher: one connection, one publication after the other.

use std::ops::Range;

use anyhow::{Context, ensure};

use super::answer::Answer;
use super::link::{Link, Wire};
use super::stamp::{self, Stamp};

/// The placeholder for the number of a topic in a path.
pub(crate) const NUMBER: &str = "{number}";

/// The number of digits in its place.
const DIGITS: usize = 6;

/// The largest number of topics.
pub(crate) const MAX_TOPICS: u32 = 10_u32.pow(DIGITS as u32);

/// The number of a topic as it is written in paths.
pub(crate) fn number(topic: u32) -> String {
    format!("{topic:0DIGITS$}")
}

/// The spreading of messages over topics: each lane takes one topic after the other, and no two lanes the same one at a
/// time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) topics: u32,
    pub(crate) lanes: u32,
}

impl Spread {
    fn topic(self, lane: u16, message: u32) -> u32 {
        message.wrapping_mul(self.lanes).wrapping_add(lane.into()) % self.topics
    }
}

#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) link: Link,
    connected: bool,
    /// The complete request. The stamp, at the beginning of its body, and the number of the topic are all that changes.
    request: Vec<u8>,
    body: usize,
    /// The place of the topic's number in the request, if messages are spread over several topics.
    topic: Option<Range<usize>>,
    spread: Spread,
    /// The number of the last message.
    pub(crate) last: u32,
    /// A publication that the server refuses for now (503) counts, and does not end the measurement.
    pub(crate) may_be_refused: bool,
    /// The time at which its publication began.
    pub(crate) begun: u64,
    /// `true` until the last message is answered.
    pub(crate) unanswered: bool,
    /// The number of clients that have not received the last message.
    pub(crate) missing: usize,
    partial: Vec<u8>,
}

impl Lane {
    /// `headers` are lines that every request has, `bytes` is the length of a message.
    pub(crate) fn new(link: Link, path: &str, headers: &str, bytes: usize, spread: Spread) -> Self {
        const METHOD: &str = "POST ";
        let topic = path.find(NUMBER).map(|at| METHOD.len() + at..METHOD.len() + at + DIGITS);
        let path = path.replace(NUMBER, &number(0));
        let head =
            format!("{METHOD}{path} HTTP/1.1\r\n{headers}Content-Type: text/plain\r\nContent-Length: {bytes}\r\n\r\n");
        let body = head.len();
        let mut request = head.into_bytes();
        request.extend((0..bytes).map(|index| b'a' + (index % 26) as u8));
        Self {
            link,
            connected: false,
            request,
            body,
            topic,
            spread,
            last: 0,
            may_be_refused: false,
            begun: 0,
            unanswered: false,
            missing: 0,
            partial: Vec::new(),
        }
    }

    pub(crate) fn reconnect(&mut self, link: Link) {
        self.link = link;
        self.connected = false;
        self.partial.clear();
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.connected
    }

    /// Returns whether every publication of this lane is answered.
    pub(crate) fn is_free(&self) -> bool {
        self.connected && !self.unanswered
    }

    pub(crate) fn publish(&mut self, lane: u16, begun: u64, clients: usize) -> anyhow::Result<()> {
        self.last += 1;
        self.begun = begun;
        self.unanswered = true;
        self.missing = clients;
        if let Some(place) = self.topic.clone() {
            let topic = self.spread.topic(lane, self.last);
            self.request[place].copy_from_slice(number(topic).as_bytes());
        }
        Stamp { lane, number: self.last, begun }.write(&mut self.request[self.body..self.body + stamp::LENGTH]);
        self.link.send(&self.request, &mut Wire::default()).context("publishing")
    }

    pub(crate) fn writable(&mut self) -> anyhow::Result<()> {
        if !self.connected {
            self.link.connected().context("connecting")?;
            self.connected = true;
        }
        Ok(self.link.flush()?)
    }

    /// Handles bytes that were read. Returns the number of publications that were refused.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> anyhow::Result<u64> {
        let mut refused = 0;
        self.partial.extend_from_slice(bytes);
        while let Some(answer) = Answer::parse(&self.partial)? {
            let text = || String::from_utf8_lossy(&answer.body).into_owned();
            ensure!(self.unanswered, "an answer without a request");
            if self.may_be_refused && answer.status == 503 {
                // No subscriber has it, so the next message takes its number.
                self.last -= 1;
                self.missing = 0;
                refused += 1;
            } else {
                ensure!((200..300).contains(&answer.status), "publishing was answered {}: {}", answer.status, text());
            }
            self.unanswered = false;
            let length = answer.length;
            self.partial.drain(..length);
            if self.partial.is_empty() {
                break;
            }
        }
        Ok(refused)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use mio::{Poll, Token};

    use super::*;

    #[test]
    fn a_number_that_was_refused_is_used_again() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let poll = Poll::new().unwrap();
        let link = Link::connect(listener.local_addr().unwrap(), 0, poll.registry(), Token(0)).unwrap();
        let mut lane = Lane::new(link, "/messages", "Host: host\r\n", 100, Spread { topics: 1, lanes: 1 });
        let (_server, _) = listener.accept().unwrap();
        lane.writable().unwrap();
        let refusal = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";

        lane.may_be_refused = true;
        lane.publish(0, 0, 7).unwrap();
        assert_eq!((lane.last, lane.missing), (1, 7));
        assert_eq!(lane.take(refusal).unwrap(), 1);
        assert_eq!((lane.last, lane.missing, lane.is_free()), (0, 0, true));
        lane.publish(0, 0, 7).unwrap();
        assert_eq!(lane.last, 1);
        lane.may_be_refused = false;
        assert!(lane.take(refusal).is_err());
    }
}
