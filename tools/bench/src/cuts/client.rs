//! One client, as a good one is written: it notices a dead connection, comes back soon, and says where it was.

mod event_stream;
mod poll;
mod sse;
mod ws;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use fastrand::Rng;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{IF_MODIFIED_SINCE, IF_NONE_MATCH};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::events::{Clock, Event, Gap, Progress, number};
use crate::target::{Form, Method, Resume, Route};

/// The longest pause before a client comes back, and half of the shortest.
const PAUSE: std::ops::RangeInclusive<Duration> = Duration::from_millis(20)..=Duration::from_secs(1);

/// A client and its ways to the server, of which it takes another one now and then when it comes back.
#[derive(Debug)]
pub(crate) struct Traveller {
    /// Never empty.
    pub(crate) ways: Vec<Client>,
    pub(crate) rng: Rng,
}

/// A client that goes one way.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) method: Method,
    pub(crate) route: Route,
    pub(crate) address: SocketAddr,
    /// What stands for `{topic}`.
    pub(crate) topic: String,
    /// How long a poll asks to be held.
    pub(crate) wait: Duration,
    /// A connection without a byte for this long is dead.
    pub(crate) idle: Duration,
}

/// What the client remembers: where it is, and everything that it saw.
#[derive(Debug)]
pub(crate) struct Notes {
    pub(crate) events: Vec<Event>,
    progress: Arc<Progress>,
    clock: Clock,
    run: u32,
    cursor: Option<String>,
    validators: Option<(String, String)>,
    /// Whether the server gives a client its position before the first message.
    positions: bool,
}

impl Traveller {
    /// Follows until stopped. While `away`, it has no connection.
    pub(crate) async fn run(
        mut self,
        mut notes: Notes,
        mut away: watch::Receiver<bool>,
        stop: CancellationToken,
    ) -> Vec<Event> {
        let (mut failures, mut way) = (0, 0);
        loop {
            let seen = notes.events.len();
            tokio::select! {
                biased;
                () = stop.cancelled() => return notes.events,
                () = until(&mut away, true) => {
                    notes.lost();
                    tokio::select! {
                        () = stop.cancelled() => return notes.events,
                        () = until(&mut away, false) => continue,
                    }
                }
                ended = self.ways[way].session(&mut notes) => notes.ended(ended),
            }
            failures = if notes.events.len() > seen { 0 } else { failures + 1 };
            notes.lost();
            let pause = (*PAUSE.start() * 2u32.saturating_pow(failures)).min(*PAUSE.end());
            let pause = pause.mul_f64(0.5 + fastrand::f64());
            tokio::select! {
                () = stop.cancelled() => return notes.events,
                () = sleep(pause) => {}
            }
            if self.ways.len() > 1 && self.rng.bool() {
                way = (way + 1) % self.ways.len();
                notes.progress.switches.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Client {
    async fn session(&self, notes: &mut Notes) -> anyhow::Result<()> {
        let began = notes.clock.now();
        match self.method {
            Method::Ws => ws::session(self, notes, began).await,
            Method::Poll => poll::session(self, notes, began).await,
            Method::Sse => sse::session(self, notes, began).await,
        }
    }

    /// The path, with the cursor where it belongs there.
    fn path(&self, notes: &Notes) -> String {
        // The first poll asks for a position alone, and that at once: cut while it is held, it would have none.
        let placed = notes.cursor.is_some() || self.route.form != Form::Push;
        let wait = if placed { self.wait.as_secs() } else { 0 };
        let mut path = self.route.path.replace("{topic}", &self.topic).replace("{wait}", &wait.to_string());
        if let (Resume::Query(name), Some(cursor)) =
            (&self.route.resume, notes.cursor.as_ref().or(self.route.first.as_ref()))
        {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str(&format!("{name}={cursor}"));
        }
        path
    }

    /// A request, with the cursor where it belongs.
    fn request(&self, notes: &Notes) -> anyhow::Result<Request<Full<Bytes>>> {
        let mut request = Request::get(self.path(notes));
        match (&self.route.resume, &notes.cursor, &notes.validators) {
            (Resume::LastEventId, Some(cursor), _) => request = request.header("last-event-id", cursor),
            (Resume::Validators, _, Some((modified, etag))) => {
                request = request.header(IF_MODIFIED_SINCE, modified).header(IF_NONE_MATCH, etag);
            }
            _ => {}
        }
        request.body(Full::default()).context("the path of the description")
    }
}

/// Waits until the value is `wanted`; for ever if nobody is left to set it.
async fn until(value: &mut watch::Receiver<bool>, wanted: bool) {
    let reached = value.wait_for(|&value| value == wanted).await.is_ok();
    if !reached {
        std::future::pending().await
    }
}

impl Notes {
    pub(crate) fn new(route: &Route, run: u32, clock: Clock, progress: Arc<Progress>) -> Self {
        let positions = route.form == Form::Push;
        Self { events: Vec::new(), progress, clock, run, cursor: None, validators: None, positions }
    }

    /// A connection stands.
    fn joined(&mut self, began: u64) {
        if self.events.iter().rev().any(|event| matches!(event, Event::Joined(_))) {
            self.progress.reconnects.fetch_add(1, Ordering::Relaxed);
        }
        self.events.push(Event::Joined(began));
        if !self.positions {
            self.progress.joined.store(true, Ordering::Relaxed);
        }
    }

    /// The server said where the client is.
    fn reached(&mut self, cursor: &str) {
        if self.cursor.is_none() && self.positions {
            self.events.push(Event::Position(cursor.into()));
            self.progress.joined.store(true, Ordering::Relaxed);
        }
        self.cursor = Some(cursor.to_owned());
    }

    fn message(&mut self, text: &str) {
        // What is not of this run is no concern of it.
        if let Some(number) = number(self.run, text) {
            self.events.push(Event::Message { number, at: self.clock.now() });
            self.progress.newest.fetch_max(number, Ordering::Relaxed);
            self.progress.received.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn gap(&mut self, gap: Gap) {
        self.events.push(Event::Gap(Box::new(gap)));
    }

    /// How it ended does not matter to a client that comes back in any case, but to those who look for the reason.
    fn ended(&self, ended: anyhow::Result<()>) {
        if let Err(error) = ended
            && let Ok(mut failure) = self.progress.failure.lock()
        {
            *failure = format!("{error:#}");
        }
    }

    fn lost(&mut self) {
        if matches!(self.events.last(), Some(event) if !matches!(event, Event::Lost(_))) {
            self.events.push(Event::Lost(self.clock.now()));
        }
    }
}
