//! All connections of a measurement, in one thread.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use mio::event::Event;
use mio::{Events, Poll, Token};

use super::follower::{Follower, Manner, Step};
use super::lane::Lane;
use super::ledger::{Faults, Ledger};
use super::link::{Link, Wire};
use super::mark::Mark;
use crate::histogram::Histogram;

/// Enough for what a message of usual size and its surroundings take, and for many of them at once.
const BUFFER: usize = 256 * 1024;

/// How many events are taken at a time.
const EVENTS: usize = 1024;

/// How long nothing may come before what is missing is given up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// What a crowd is to do.
#[derive(Debug)]
pub(crate) struct Setup {
    /// Where subscribers connect, in turn, and where publishers do. Never empty.
    pub(crate) follow: Vec<SocketAddr>,
    pub(crate) publish: Vec<SocketAddr>,
    pub(crate) manner: Manner,
    pub(crate) clients: usize,
    /// How many publish.
    pub(crate) lanes: usize,
    /// Where one publishes, with everything filled in.
    pub(crate) path: String,
    /// The length of a message.
    pub(crate) bytes: usize,
    /// How long nothing may come before what is missing is given up.
    pub(crate) patience: Duration,
}

/// When the next message is published.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// So many a second, whatever the server does.
    Rate(f64),
    /// So many under way: each until it is answered and everybody has it.
    InFlight(usize),
    /// So many under way: each until it is answered. What servers queue for subscribers can grow.
    Unanswered(usize),
}

/// What is counted while messages are published.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// Messages that were received by somebody who had not had them.
    pub(crate) deliveries: u64,
    pub(crate) delays: Histogram,
    pub(crate) wire: Wire,
    /// From the first publication to the last delivery.
    pub(crate) wall: Duration,
    pub(crate) published: u64,
    /// How late the latest publication was for its time.
    pub(crate) behind: Duration,
}

#[derive(Debug)]
pub(crate) struct Crowd {
    setup: Setup,
    host: String,
    poll: Poll,
    clock: Instant,
    buffer: Vec<u8>,
    followers: Vec<Option<Follower>>,
    lanes: Vec<Lane>,
    ledger: Ledger,
    tally: Tally,
    /// When the last delivery was, on the clock.
    last: u64,
    /// How many have asked, and how many of them were answered.
    asked: usize,
    answered: usize,
    /// From the beginning of connecting to the first answer.
    pub(crate) connects: Histogram,
    /// Why the first of those that were lost was lost, and how many there are.
    pub(crate) lost: Option<(String, u64)>,
}

impl Crowd {
    pub(crate) fn new(setup: Setup) -> anyhow::Result<Self> {
        Ok(Self {
            host: setup.publish[0].to_string(),
            poll: Poll::new().context("epoll")?,
            clock: Instant::now(),
            buffer: vec![0; BUFFER],
            followers: (0..setup.clients).map(|_| None).collect(),
            lanes: Vec::new(),
            ledger: Ledger::new(setup.clients, setup.lanes),
            tally: Tally::default(),
            last: 0,
            asked: 0,
            answered: 0,
            connects: Histogram::default(),
            lost: None,
            setup,
        })
    }

    /// Connects everybody, at most so many at a time. A subscriber is there once it was answered, or, where that takes a
    /// message, once it has asked.
    pub(crate) fn connect(&mut self, at_a_time: usize) -> anyhow::Result<()> {
        let answers = self.setup.manner.is_answered();
        let mut begun = 0;
        let mut events = Events::with_capacity(EVENTS);
        let mut progress = (0, Instant::now());
        loop {
            let there = if answers { self.answered } else { self.asked };
            if there == self.setup.clients {
                return Ok(());
            }
            while begun < self.setup.clients && begun - there < at_a_time {
                let address = self.setup.follow[begun % self.setup.follow.len()];
                let link = Link::connect(address, begun, self.poll.registry(), Token(begun));
                self.followers[begun] = Some(Follower::new(link.context("connecting")?, self.now()));
                begun += 1;
            }
            if progress.0 != there + begun {
                progress = (there + begun, Instant::now());
            }
            if let Some((why, _)) = &self.lost {
                bail!("a subscriber did not get in: {why}");
            }
            if progress.1.elapsed() > PATIENCE {
                bail!("{there} of {} subscribers were answered, and no more", self.setup.clients);
            }
            self.turn(&mut events, Some(Duration::from_millis(100)))?;
        }
    }

    /// Connects the publishers.
    pub(crate) fn connect_lanes(&mut self) -> anyhow::Result<()> {
        for index in 0..self.setup.lanes {
            let link = self.lane_link(index)?;
            self.lanes.push(Lane::new(link, &self.setup.path, &self.host, self.setup.bytes));
        }
        let began = Instant::now();
        let mut events = Events::with_capacity(EVENTS);
        while !self.lanes.iter().all(Lane::is_connected) {
            if began.elapsed() > PATIENCE {
                bail!("a publisher cannot connect");
            }
            self.turn(&mut events, Some(Duration::from_millis(100)))?;
        }
        Ok(())
    }

    /// Publishes until there are so many or the time is over, and waits until everybody has everything, or until nothing
    /// comes any more.
    pub(crate) fn publish(&mut self, pace: Pace, messages: u64, length: Option<Duration>) -> anyhow::Result<Tally> {
        self.tally = Tally::default();
        let mut events = Events::with_capacity(EVENTS);
        let began = self.now();
        let end = length.map(|length| began + nanos(length));
        self.last = began;
        // The last sign of progress: a delivery or a publication.
        let mut alive = began;
        loop {
            let now = self.now();
            let over = self.tally.published >= messages || end.is_some_and(|end| now >= end);
            let mut wait = self.setup.patience;
            if !over {
                wait = match pace {
                    Pace::InFlight(lanes) => {
                        self.publish_free(lanes, messages, |lane| lane.is_free() && lane.missing == 0)?;
                        wait
                    }
                    Pace::Unanswered(lanes) => {
                        self.publish_free(lanes, messages, Lane::is_free)?;
                        wait
                    }
                    Pace::Rate(rate) => self.publish_due(rate, messages, began)?,
                };
                if let Some(end) = end {
                    wait = wait.min(Duration::from_nanos(end.saturating_sub(now)));
                }
            } else if self.tally.deliveries + self.lost_deliveries() >= self.due()
                && self.lanes.iter().all(Lane::is_free)
            {
                break;
            }
            let (deliveries, published) = (self.tally.deliveries, self.tally.published);
            self.turn(&mut events, Some(wait))?;
            if self.tally.deliveries != deliveries || self.tally.published != published {
                alive = self.now();
            } else if self.now() >= alive + nanos(self.setup.patience)
                && (over || matches!(pace, Pace::InFlight(_)) || !self.lanes.iter().all(Lane::is_free))
            {
                break;
            }
        }
        self.tally.wall = Duration::from_nanos(self.last - began);
        Ok(std::mem::take(&mut self.tally))
    }

    /// What went wrong since the beginning.
    pub(crate) fn faults(&self) -> Faults {
        let last: Vec<u32> = self.lanes.iter().map(|lane| lane.last).collect();
        match last.is_empty() {
            true => Faults::default(),
            false => self.ledger.faults(&last),
        }
    }

    /// Takes what comes for some time.
    pub(crate) fn wait(&mut self, length: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + length;
        let mut events = Events::with_capacity(EVENTS);
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            self.turn(&mut events, Some(left))?;
        }
        Ok(())
    }

    /// Nanoseconds on the crowd's clock.
    pub(crate) fn now(&self) -> u64 {
        nanos(self.clock.elapsed())
    }

    fn due(&self) -> u64 {
        self.tally.published * self.setup.clients as u64
    }

    /// What those that are gone will never get needs no waiting for, once nobody else is waited for.
    fn lost_deliveries(&self) -> u64 {
        self.lost.as_ref().map_or(0, |(_, count)| count * self.tally.published)
    }

    fn publish_free(&mut self, lanes: usize, messages: u64, is_free: fn(&Lane) -> bool) -> anyhow::Result<()> {
        for index in 0..lanes.min(self.lanes.len()) {
            if self.tally.published < messages && is_free(&self.lanes[index]) {
                self.begin(index)?;
            }
        }
        Ok(())
    }

    /// Publishes what is due. Returns how long there is to wait for the next.
    fn publish_due(&mut self, rate: f64, messages: u64, began: u64) -> anyhow::Result<Duration> {
        loop {
            let due = began + (self.tally.published as f64 / rate * 1e9) as u64;
            let now = self.now();
            if now < due {
                return Ok(Duration::from_nanos(due - now));
            }
            // Where all wait for an answer, that answer will end the wait.
            let Some(index) = self.lanes.iter().position(Lane::is_free) else { return Ok(self.setup.patience) };
            if self.tally.published == messages {
                return Ok(Duration::ZERO);
            }
            self.tally.behind = self.tally.behind.max(Duration::from_nanos(now - due));
            self.begin(index)?;
        }
    }

    fn begin(&mut self, index: usize) -> anyhow::Result<()> {
        let now = self.now();
        self.lanes[index].publish(index as u16, now, self.setup.clients)?;
        self.tally.published += 1;
        Ok(())
    }

    fn turn(&mut self, events: &mut Events, wait: Option<Duration>) -> anyhow::Result<()> {
        match self.poll.poll(events, wait) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other.context("epoll")?,
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        for event in events.iter() {
            let token = event.token().0;
            if let Some(index) = token.checked_sub(self.setup.clients) {
                self.lane(index, event, &mut buffer)?;
            } else if let Err(error) = self.follower(token, event, &mut buffer) {
                self.followers[token] = None;
                let (_, count) = self.lost.get_or_insert_with(|| (format!("{error:#}"), 0));
                *count += 1;
            }
        }
        self.buffer = buffer;
        Ok(())
    }

    fn lane(&mut self, index: usize, event: &Event, buffer: &mut [u8]) -> anyhow::Result<()> {
        let lane = &mut self.lanes[index];
        if event.is_writable() {
            lane.writable()?;
        }
        while let Some(count) = lane.link.read(buffer, &mut Wire::default()).context("publishing")? {
            if count == 0 && lane.unanswered {
                bail!("the server closed a publisher's connection and did not answer");
            }
            if count == 0 {
                // A server need not keep a connection on which nothing happens.
                let link = self.lane_link(index)?;
                self.lanes[index].reconnect(link);
                break;
            }
            lane.take(&buffer[..count])?;
            if count < buffer.len() && !event.is_read_closed() {
                break;
            }
        }
        Ok(())
    }

    fn lane_link(&self, index: usize) -> anyhow::Result<Link> {
        let token = Token(self.setup.clients + index);
        let address = self.setup.publish[index % self.setup.publish.len()];
        Link::connect(address, 0, self.poll.registry(), token).context("connecting")
    }

    fn follower(&mut self, index: usize, event: &Event, buffer: &mut [u8]) -> anyhow::Result<()> {
        let Some(follower) = &mut self.followers[index] else { return Ok(()) };
        if event.is_writable() && follower.writable(&self.setup.manner, &mut self.tally.wire)? == Step::Asked {
            self.asked += 1;
        }
        if !event.is_readable() {
            return Ok(());
        }
        loop {
            let Some(count) = follower.link.read(buffer, &mut self.tally.wire)? else { return Ok(()) };
            if count == 0 {
                bail!("the server closed the connection");
            }
            let now = nanos(self.clock.elapsed());
            let (ledger, tally, lanes, last) = (&mut self.ledger, &mut self.tally, &mut self.lanes, &mut self.last);
            let mut found = |mark: Mark| {
                if ledger.received(index, mark) {
                    tally.deliveries += 1;
                    tally.delays.add(now.saturating_sub(mark.begun));
                    *last = now;
                    let lane = &mut lanes[usize::from(mark.lane)];
                    if lane.last == mark.number {
                        lane.missing -= 1;
                    }
                }
            };
            let mut wire = Wire::default();
            let step = follower.take(&buffer[..count], &self.setup.manner, &mut wire, &mut found)?;
            self.tally.wire.sent += wire.sent;
            self.tally.wire.requests += wire.requests;
            if step == Step::Answered {
                self.answered += 1;
                self.connects.add(now - follower.since);
            }
            // A read that did not fill the buffer has emptied the socket; what comes later is an event of its own.
            if count < buffer.len() && !event.is_read_closed() {
                return Ok(());
            }
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}
