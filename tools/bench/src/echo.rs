//! `bench echo`: WebSocket round trips.

use std::io;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Args;
use mio::event::Event;
use mio::{Events, Poll, Token};

use crate::histogram::Histogram;
use crate::load::{Frames, Head, Link, MASK, PATIENCE, Piece, Wire, frame, handshake};
use crate::measure::figure::*;
use crate::measure::{Comparison, Protocol, Rounds, Sample, Subject};
use crate::process::Process;

/// The number of digits of a message's number, with which it begins.
const DIGITS: usize = 8;

/// The warm-up before the measurement begins.
const WARM_UP: Duration = Duration::from_millis(200);

/// Send messages over WebSockets and wait for their echo: messages per second, delay, CPU per message
///
/// Every message begins with its number, and every echo has to begin with the number that is expected next.
#[derive(Debug, Args)]
pub struct Echo {
    /// The number of connections
    #[arg(long, value_name = "C", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// The length of a message
    #[arg(long, value_name = "B", default_value_t = 64, value_parser = clap::value_parser!(u32).range(8..))]
    bytes: u32,
    /// The number of messages in flight on each connection
    #[arg(long, value_name = "W", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    in_flight: u32,
    /// The length of each round
    #[arg(long, value_name = "S", default_value_t = 3.0, value_parser = crate::arguments::positive)]
    seconds: f64,
    /// Send binary messages instead of texts
    #[arg(long)]
    binary: bool,
    #[command(flatten)]
    rounds: Rounds,
}

/// The work of a round.
#[derive(Debug, Clone)]
pub struct Work {
    /// The number of connections.
    pub connections: usize,
    /// The length of a message.
    pub bytes: usize,
    /// The number of messages in flight on each connection.
    pub in_flight: u32,
    /// The length of the measurement.
    pub length: Duration,
    /// Send binary messages instead of texts.
    pub binary: bool,
}

impl Echo {
    /// Runs the command. Returns whether every message came back.
    ///
    /// # Errors
    /// Fails when the measurement cannot be made.
    pub async fn run(self) -> anyhow::Result<bool> {
        let work = Work {
            connections: self.connections as usize,
            bytes: self.bytes as usize,
            in_flight: self.in_flight,
            length: Duration::from_secs_f64(self.seconds),
            binary: self.binary,
        };
        let kind = if self.binary { "binary" } else { "text" };
        let report = self
            .rounds
            .run(&Comparison {
                command: "echo",
                work: format!(
                    "{} connections, {} in flight on each, {} bytes of {kind}, {} s",
                    self.connections, self.in_flight, self.bytes, self.seconds
                ),
                protocols: vec![Protocol::Echo],
                clients: work.connections,
                descriptors: work.connections,
                round: &|subject, _| round(&work, subject),
            })
            .await?;
        self.rounds.show(&report, &report.table())
    }
}

/// One round.
///
/// # Errors
/// Fails when it cannot be made, or an echo comes that is not expected.
pub fn round(work: &Work, subject: &Subject<'_>) -> anyhow::Result<Sample> {
    let route = subject.target.echo.as_ref().context("no [echo]")?;
    let mut callers =
        Callers::new(work, &handshake(&route.path, &subject.door.headers(&subject.address.to_string())), subject)?;
    callers.run(WARM_UP)?;
    let this = Process::this();
    let cpu = (subject.process.cpu()?, this.cpu()?);
    let began = Instant::now();
    callers.run(work.length)?;
    let wall = began.elapsed().as_secs_f64();
    let server = subject.process.cpu()?.saturating_sub(cpu.0).as_secs_f64();
    let generator = this.cpu()?.saturating_sub(cpu.1).as_secs_f64();

    let mut sample = Sample::default();
    let count = callers.delays.count() as f64;
    let micros = |delay: Duration| delay.as_secs_f64() * 1e6;
    sample.add(&MESSAGES, count / wall);
    sample.add(&DELAY_P50, micros(callers.delays.percentile(50)));
    sample.add(&DELAY_P99, micros(callers.delays.percentile(99)));
    sample.add(&DELAY_MAX, micros(callers.delays.max()));
    sample.add(&CPU_MESSAGE, server * 1e6 / count);
    sample.add(&WIRE, (callers.wire.received + callers.wire.sent) as f64 / count);
    sample.add(&SERVER_LOAD, 100.0 * server / wall);
    sample.add(&GENERATOR, 100.0 * generator / wall);
    Ok(sample)
}

/// All connections.
struct Callers {
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    /// A frame without its number.
    frame: Vec<u8>,
    /// The offset of the payload in the frame.
    payload: usize,
    callers: Vec<Caller>,
    clock: Instant,
    delays: Histogram,
    wire: Wire,
}

struct Caller {
    link: Link,
    phase: Phase,
    /// The times at which the messages in flight were sent, the oldest at `received`.
    sent_at: Vec<u64>,
    sent: u32,
    received: u32,
    /// The beginning of the echo that is being received.
    begin: [u8; DIGITS],
    length: usize,
}

enum Phase {
    Connecting,
    Head(Vec<u8>),
    Open(Frames),
}

impl Callers {
    fn new(work: &Work, handshake: &[u8], subject: &Subject<'_>) -> anyhow::Result<Self> {
        let frame = frame(if work.binary { 2 } else { 1 }, &vec![b'x'; work.bytes]);
        let mut callers = Self {
            poll: Poll::new().context("epoll")?,
            events: Events::with_capacity(1024),
            buffer: vec![0; 64 * 1024],
            payload: frame.len() - work.bytes,
            frame,
            callers: Vec::new(),
            clock: Instant::now(),
            delays: Histogram::default(),
            wire: Wire::default(),
        };
        for index in 0..work.connections {
            let link = Link::connect(subject.address, index, callers.poll.registry(), Token(index))
                .and_then(|link| link.through(&subject.door, subject.address))
                .context("connecting")?;
            callers.callers.push(Caller {
                link,
                phase: Phase::Connecting,
                sent_at: vec![0; work.in_flight as usize],
                sent: 0,
                received: 0,
                begin: [0; DIGITS],
                length: 0,
            });
        }
        let open = |caller: &Caller| matches!(caller.phase, Phase::Open(_));
        while !callers.callers.iter().all(open) {
            ensure!(callers.clock.elapsed() < PATIENCE, "a WebSocket was not opened in time");
            callers.turn(handshake, false)?;
        }
        Ok(callers)
    }

    /// Sends and receives for some time, and then until every echo has come.
    fn run(&mut self, length: Duration) -> anyhow::Result<()> {
        self.delays = Histogram::default();
        self.wire = Wire::default();
        let end = Instant::now() + length;
        for index in 0..self.callers.len() {
            while (self.callers[index].sent - self.callers[index].received) < self.callers[index].sent_at.len() as u32 {
                self.send(index)?;
            }
        }
        while Instant::now() < end {
            self.turn(&[], true)?;
        }
        while self.callers.iter().any(|caller| caller.sent > caller.received) {
            ensure!(Instant::now() < end + PATIENCE, "an echo did not come in time");
            self.turn(&[], false)?;
        }
        Ok(())
    }

    fn send(&mut self, index: usize) -> anyhow::Result<()> {
        let caller = &mut self.callers[index];
        let slot = caller.sent as usize % caller.sent_at.len();
        caller.sent_at[slot] = self.clock.elapsed().as_nanos() as u64;
        let mut number = caller.sent;
        for at in (0..DIGITS).rev() {
            self.frame[self.payload + at] = (b'0' + (number % 10) as u8) ^ MASK[at % MASK.len()];
            number /= 10;
        }
        caller.sent += 1;
        caller.link.send(&self.frame, &mut self.wire).context("sending")
    }

    /// Reads what there is, and if `again`, sends another message for each echo.
    fn turn(&mut self, handshake: &[u8], again: bool) -> anyhow::Result<()> {
        match self.poll.poll(&mut self.events, Some(Duration::from_millis(100))) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other.context("epoll")?,
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in events.iter() {
            let came = self.event(event, handshake)?;
            for _ in 0..if again { came } else { 0 } {
                self.send(event.token().0)?;
            }
        }
        self.events = events;
        Ok(())
    }

    /// Returns the number of echoes that came.
    fn event(&mut self, event: &Event, handshake: &[u8]) -> anyhow::Result<u32> {
        let caller = &mut self.callers[event.token().0];
        if event.is_writable() {
            if matches!(caller.phase, Phase::Connecting) {
                caller.link.connected().context("connecting")?;
                caller.link.send(handshake, &mut self.wire)?;
                caller.phase = Phase::Head(Vec::new());
            }
            caller.link.flush()?;
        }
        let mut came = 0;
        while event.is_readable() {
            let Some(count) = caller.link.read(&mut self.buffer, &mut self.wire)? else { break };
            ensure!(count > 0, "the server closed the connection");
            let now = self.clock.elapsed().as_nanos() as u64;
            came += caller.take(&self.buffer[..count], now, &mut self.delays, &mut self.wire)?;
            if count < self.buffer.len() && !event.is_read_closed() {
                break;
            }
        }
        Ok(came)
    }
}

impl Caller {
    fn take(&mut self, bytes: &[u8], now: u64, delays: &mut Histogram, wire: &mut Wire) -> anyhow::Result<u32> {
        let before = self.received;
        let Self { link, phase, sent_at, sent, received, begin, length } = self;
        match phase {
            Phase::Connecting => bail!("the server sent bytes before the request"),
            Phase::Head(partial) => {
                partial.extend_from_slice(bytes);
                let Some(head) = Head::parse(partial)? else { return Ok(0) };
                ensure!(head.status == 101, "answered {}", head.status);
                ensure!(head.length == partial.len(), "the server sent a frame before the first message");
                *phase = Phase::Open(Frames::default());
            }
            Phase::Open(frames) => frames.feed(bytes, |piece| {
                match piece {
                    Piece::Data(data, end) => {
                        let more = data.len().min(DIGITS - (*length).min(DIGITS));
                        if more > 0 {
                            begin[*length..*length + more].copy_from_slice(&data[..more]);
                        }
                        *length += data.len();
                        if end {
                            let number = std::str::from_utf8(begin).ok().and_then(|text| text.parse::<u32>().ok());
                            ensure!(
                                *received < *sent && number == Some(*received),
                                "what came back is not what was due"
                            );
                            delays.add(now - sent_at[*received as usize % sent_at.len()]);
                            *received += 1;
                            *length = 0;
                        }
                    }
                    Piece::Ping(payload) => link.send(&frame(10, payload), wire)?,
                    Piece::Close(code) => bail!("the server closed with {code}"),
                }
                Ok(())
            })?,
        }
        Ok(self.received - before)
    }
}
