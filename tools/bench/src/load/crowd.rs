//! All connections of a measurement, in one thread.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use mio::event::Event;
use mio::{Events, Poll, Token};

use super::door::Door;
use super::follower::{Follower, Step, Subscription};
use super::lane::{Lane, Spread};
use super::ledger::{Faults, Ledger};
use super::link::{Link, Wire};
use super::stamp::Stamp;
use crate::histogram::Histogram;

/// Large enough for many messages of usual size at once.
const BUFFER: usize = 256 * 1024;

/// The number of events that are taken at a time.
const EVENTS: usize = 1024;

/// The time without progress after which missing messages are given up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The configuration of a crowd.
#[derive(Debug)]
pub(crate) struct Setup {
    /// The addresses to which subscribers connect, in turn, and those to which publishers do. Never empty.
    pub(crate) follow: Vec<SocketAddr>,
    pub(crate) publish: Vec<SocketAddr>,
    pub(crate) door: Door,
    pub(crate) subscription: Subscription,
    pub(crate) clients: usize,
    /// The number of publishers.
    pub(crate) lanes: usize,
    /// The path for publishing, with all placeholders filled in, except that of the topic's number where there are several.
    pub(crate) path: String,
    /// The number of topics over which messages are spread.
    pub(crate) topics: u32,
    /// The length of a message.
    pub(crate) bytes: usize,
    /// The time without progress after which missing messages are given up.
    pub(crate) patience: Duration,
}

/// The rule by which the next message is published.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// So many per second, whatever the server does.
    Rate(f64),
    /// So many in flight, each until it is answered and every subscriber has it.
    InFlight(usize),
    /// So many in flight, each until it is answered. Servers may queue more and more for subscribers.
    Unanswered(usize),
}

/// The counters while messages are published.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// First receptions of a message by a subscriber.
    pub(crate) deliveries: u64,
    pub(crate) delays: Histogram,
    pub(crate) wire: Wire,
    /// The time from the first publication to the last delivery.
    pub(crate) wall: Duration,
    pub(crate) published: u64,
    /// The times from the beginning of a publication until it was confirmed.
    pub(crate) confirmations: Histogram,
    /// Publications that were refused, which nobody is to receive.
    pub(crate) refused: u64,
    /// The longest delay of a publication after the time at which it was due.
    pub(crate) behind: Duration,
}

#[derive(Debug)]
pub(crate) struct Crowd {
    setup: Setup,
    /// The lines of headers of a publication.
    headers: String,
    poll: Poll,
    clock: Instant,
    buffer: Vec<u8>,
    followers: Vec<Option<Follower>>,
    lanes: Vec<Lane>,
    ledger: Ledger,
    tally: Tally,
    /// The time of the last delivery, on the crowd's clock.
    last: u64,
    /// The number of subscribers that have sent a request, and the number of those that were answered.
    asked: usize,
    answered: usize,
    /// The times from the beginning of connecting to the first answer.
    pub(crate) connects: Histogram,
    /// The reason why the first lost subscriber was lost, and the number of lost subscribers.
    pub(crate) lost: Option<(String, u64)>,
}

impl Crowd {
    pub(crate) fn new(setup: Setup) -> anyhow::Result<Self> {
        Ok(Self {
            headers: setup.door.headers(&setup.publish[0].to_string()),
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

    /// Connects all subscribers, at most so many at a time. A subscriber is connected once it was answered, or, where the
    /// answer needs a message, once it has sent its request.
    pub(crate) fn connect(&mut self, at_a_time: usize) -> anyhow::Result<()> {
        let answers = self.setup.subscription.is_answered();
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
                let link = Link::connect(address, begun, self.poll.registry(), Token(begun))
                    .and_then(|link| link.through(&self.setup.door, address));
                self.followers[begun] = Some(Follower::new(link.context("connecting")?, self.now()));
                begun += 1;
            }
            if progress.0 != there + begun {
                progress = (there + begun, Instant::now());
            }
            if let Some((why, _)) = &self.lost {
                bail!("a subscriber cannot connect: {why}");
            }
            if progress.1.elapsed() > PATIENCE {
                bail!("only {there} of {} subscribers were answered", self.setup.clients);
            }
            self.turn(&mut events, Some(Duration::from_millis(100)))?;
        }
    }

    /// Connects the publishers.
    pub(crate) fn connect_lanes(&mut self) -> anyhow::Result<()> {
        for index in 0..self.setup.lanes {
            let link = self.lane_link(index)?;
            let spread = Spread { topics: self.setup.topics, lanes: self.setup.lanes as u32 };
            self.lanes.push(Lane::new(link, &self.setup.path, &self.headers, self.setup.bytes, spread));
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

    /// Counts publications that the server refuses for now, instead of ending with an error.
    pub(crate) fn allow_refusals(&mut self) {
        self.lanes.iter_mut().for_each(|lane| lane.may_be_refused = true);
    }

    /// Closes the publishers' connections. From here on, there are no faults to be found.
    pub(crate) fn disconnect_lanes(&mut self) {
        self.lanes.clear();
    }

    /// Publishes until there are so many messages or the time is over, and waits until every subscriber has every
    /// message, or until there is no more progress.
    pub(crate) fn publish(&mut self, pace: Pace, messages: u64, length: Option<Duration>) -> anyhow::Result<Tally> {
        self.tally = Tally::default();
        let mut events = Events::with_capacity(EVENTS);
        let began = self.now();
        let end = length.map(|length| began + nanos(length));
        self.last = began;
        // The time of the last progress: a delivery or a publication.
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

    /// Returns the number of each publisher's last message.
    pub(crate) fn last(&self) -> Vec<u32> {
        self.lanes.iter().map(|lane| lane.last).collect()
    }

    /// Returns the faults since the beginning.
    pub(crate) fn faults(&self) -> Faults {
        let last = self.last();
        match last.is_empty() {
            true => Faults::default(),
            false => self.ledger.faults(&last),
        }
    }

    /// Returns the deliveries since the publishing ended: of messages that had been given up.
    pub(crate) fn late(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    /// Handles events for some time.
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
        (self.tally.published - self.tally.refused) * self.setup.clients as u64
    }

    /// The deliveries to lost subscribers, which are not waited for.
    fn lost_deliveries(&self) -> u64 {
        self.lost.as_ref().map_or(0, |(_, count)| count * (self.tally.published - self.tally.refused))
    }

    fn publish_free(&mut self, lanes: usize, messages: u64, is_free: fn(&Lane) -> bool) -> anyhow::Result<()> {
        for index in 0..lanes.min(self.lanes.len()) {
            if self.tally.published < messages && is_free(&self.lanes[index]) {
                self.begin(index)?;
            }
        }
        Ok(())
    }

    /// Publishes what is due. Returns the time until the next message is due.
    fn publish_due(&mut self, rate: f64, messages: u64, began: u64) -> anyhow::Result<Duration> {
        loop {
            let due = began + (self.tally.published as f64 / rate * 1e9) as u64;
            let now = self.now();
            if now < due {
                return Ok(Duration::from_nanos(due - now));
            }
            // If all lanes wait for an answer, that answer will end the wait.
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
                // A server may close a connection that has been idle.
                let link = self.lane_link(index)?;
                self.lanes[index].reconnect(link);
                break;
            }
            let waited = lane.unanswered;
            let refused = lane.take(&buffer[..count])?;
            if waited && refused == 0 && lane.is_free() {
                self.tally.confirmations.add(nanos(self.clock.elapsed()).saturating_sub(lane.begun));
            }
            self.tally.refused += refused;
            if count < buffer.len() && !event.is_read_closed() {
                break;
            }
        }
        Ok(())
    }

    fn lane_link(&self, index: usize) -> anyhow::Result<Link> {
        let token = Token(self.setup.clients + index);
        let address = self.setup.publish[index % self.setup.publish.len()];
        let link = Link::connect(address, 0, self.poll.registry(), token);
        link.and_then(|link| link.through(&self.setup.door, address)).context("connecting")
    }

    fn follower(&mut self, index: usize, event: &Event, buffer: &mut [u8]) -> anyhow::Result<()> {
        let Some(follower) = &mut self.followers[index] else { return Ok(()) };
        if event.is_writable() && follower.writable(&self.setup.subscription, &mut self.tally.wire)? == Step::Asked {
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
            let mut found = |stamp: Stamp| {
                if ledger.received(index, stamp) {
                    tally.deliveries += 1;
                    tally.delays.add(now.saturating_sub(stamp.begun));
                    *last = now;
                    if let Some(lane) = lanes.get_mut(usize::from(stamp.lane))
                        && lane.last == stamp.number
                    {
                        lane.missing -= 1;
                    }
                }
            };
            let mut wire = Wire::default();
            let step = follower.take(&buffer[..count], &self.setup.subscription, &mut wire, &mut found)?;
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
