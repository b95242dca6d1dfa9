//! From the stream to the hub: one ordered consumer for all topics and clients.
//!
//! The consumer of the library is made again by the library whenever it has to be, even on another stream of the same
//! name, and from the very first message if it has delivered none. So its messages are trusted only as long as they come
//! from the consumer that was made here and checked afterwards; those of any other make this begin again, from the own
//! position, with a look at the stream.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::push::{Ordered, OrderedConfig, OrderedErrorKind};
use async_nats::jetstream::consumer::{DeliverPolicy, ReplayPolicy};
use async_nats::jetstream::{self, Context};
use futures_util::{FutureExt, StreamExt};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::stream::{LookError, Seen};
use super::wire::{Foreign, Stored};
use super::{Parts, State, fill};
use crate::cursor::Cursor;
use crate::hub::{Feed, Hub, Wake};
use crate::message::Message;
use crate::timestamp::Timestamp;

/// The most messages that become visible at once.
const BATCH: usize = 256;

/// How often the stream is looked at, to see that it is still the same.
const LOOK: Duration = Duration::from_secs(2);

/// How often old messages are looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// The pause before another attempt.
const PAUSE: Duration = Duration::from_millis(200);

/// How long a stream may seem to have gone back before it is believed: a server that has just taken over may not have
/// caught up.
const DISBELIEF: Duration = Duration::from_secs(2);

/// Why following ended for now.
#[derive(Debug, thiserror::Error)]
pub(super) enum Interrupted {
    #[error(transparent)]
    Look(#[from] LookError),
    #[error("{0}")]
    Consumer(String),
    /// It has to be begun again, from the own position.
    #[error("following begins again")]
    Again,
}

/// The history as far as it is known here.
pub(super) struct Known {
    pub(super) feed: Feed,
    pub(super) position: u64,
    /// The last message that came, and when the stream took it: the stream must still say so.
    pub(super) mark: Option<(u64, i128)>,
}

/// Follows the stream for as long as it is polled.
pub(super) async fn run(parts: Arc<Parts>, hub: Hub, feed: Feed) -> anyhow::Error {
    if let Err(error) = parts.link.connect().await {
        return error;
    }
    let mut follower = Follower { parts: Arc::clone(&parts), hub, unborn: feed, known: None, foreign: Vec::new() };
    loop {
        let health = parts.link.until_up().await;
        let interrupted = tokio::select! {
            interrupted = follower.follow() => interrupted,
            () = parts.link.until_not(&health) => {
                // What clients are told is that NATS is away.
                parts.set_trouble("catching up with the stream".to_owned());
                continue;
            }
        };
        match interrupted {
            Interrupted::Look(error @ (LookError::Unfit(_) | LookError::TooOld(_))) if follower.known.is_none() => {
                return error.into();
            }
            Interrupted::Again => {}
            interrupted => {
                parts.set_trouble(interrupted.to_string());
                sleep(PAUSE.mul_f64(1.0 + fastrand::f64())).await;
            }
        }
    }
}

pub(super) struct Follower {
    parts: Arc<Parts>,
    hub: Hub,
    /// Of the history that was there before any was known; makes those of others.
    unborn: Feed,
    known: Option<Known>,
    /// What has been seen that is no message, to log each kind once.
    foreign: Vec<Foreign>,
}

impl Follower {
    async fn follow(&mut self) -> Interrupted {
        match self.try_follow().await {
            Ok(never) => match never {},
            Err(interrupted) => interrupted,
        }
    }

    async fn try_follow(&mut self) -> Result<std::convert::Infallible, Interrupted> {
        let jetstream = self.parts.link.jetstream().map_err(Interrupted::Consumer)?;
        let seen = self.look(&jetstream).await?;
        let mut messages = match &self.known {
            Some(known) if known.feed.epoch() == seen.epoch() => {
                let after = known.position;
                self.settle(&jetstream, &seen).await?;
                let (messages, checked) = self.consume(&jetstream, after, &seen).await?;
                // It may have gone back in between, and be further again.
                self.settle(&jetstream, &checked).await?;
                messages
            }
            known => {
                if known.is_some() {
                    tracing::warn!("the stream holds another history; clients are told of a gap");
                    self.parts.set_state(State::Behind("filling the history".to_owned()));
                }
                let feed = self.unborn.renew(seen.epoch());
                let (known, messages) = fill::fill(self, &jetstream, feed, &seen).await?;
                self.hub.replace(&known.feed).wake();
                self.known = Some(known);
                messages
            }
        };
        self.arrived();
        self.parts.set_state(State::Following);

        let mut looking = interval(LOOK);
        let mut sweeping = interval(SWEEP);
        for timer in [&mut looking, &mut sweeping] {
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        let parts = Arc::clone(&self.parts);
        let mut look = None;
        let mut quiet_since = Instant::now();
        loop {
            tokio::select! {
                message = messages.next() => {
                    quiet_since = Instant::now();
                    self.take(&mut messages, message)?;
                }
                _ = looking.tick(), if look.is_none() => look = Some(parts.spec.look(&jetstream).boxed()),
                () = parts.doubt.notified(), if look.is_none() => look = Some(parts.spec.look(&jetstream).boxed()),
                seen = async { look.as_mut().expect("it is polled only if there is one").await }, if look.is_some() => {
                    look = None;
                    match seen {
                        // Perhaps it elects a leader. What comes is still of the same stream.
                        Err(error @ LookError::OutOfReach(..)) => parts.set_trouble(error.to_string()),
                        seen => self.check(seen?, quiet_since)?,
                    }
                }
                _ = sweeping.tick() => self.sweep().await,
            }
        }
    }

    /// The stream, if it can be used.
    async fn look(&self, jetstream: &Context) -> Result<Seen, LookError> {
        let seen = self.parts.spec.look_or_create(jetstream).await?;
        match seen.unfit {
            Some(unfit) => Err(unfit.into()),
            None => Ok(seen),
        }
    }

    /// Makes a consumer of what comes after an offset, and makes sure that it is one of the stream as it was `before`.
    pub(super) async fn consume(
        &self,
        jetstream: &Context,
        after: u64,
        before: &Seen,
    ) -> Result<(Consumer, Seen), Interrupted> {
        let failed = |error: String| Interrupted::Consumer(format!("the stream cannot be followed: {error}"));
        let config = OrderedConfig {
            deliver_subject: jetstream.client().new_inbox(),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: after + 1 },
            replay_policy: ReplayPolicy::Instant,
            ..OrderedConfig::default()
        };
        let made = jetstream.create_consumer_on_stream(config, self.parts.spec.name()).await;
        let made = made.map_err(|error| failed(error.to_string()))?;
        let name = made.cached_info().name.clone();
        let messages = made.messages().await.map_err(|error| failed(error.to_string()))?;
        // A stream does not come back once it is gone. So if it is there after the consumer was made, and was there
        // before, the consumer is one of it.
        let seen = self.look(jetstream).await?;
        if seen.epoch() != before.epoch() {
            return Err(Interrupted::Again);
        }
        Ok((Consumer { messages, name }, seen))
    }

    /// Makes sure that the stream still holds what came from it. A server that lost its latest messages, in a crash of its
    /// machine for instance, gives their numbers to others, which nobody would miss: that is another history.
    async fn settle(&self, jetstream: &Context, seen: &Seen) -> Result<(), Interrupted> {
        let Some(known) = &self.known else { return Ok(()) };
        let mut seen = seen.clone();
        let doubtful = Instant::now();
        while seen.last < known.position {
            if doubtful.elapsed() >= DISBELIEF {
                return self.declare_lost(jetstream, &seen).await;
            }
            sleep(PAUSE).await;
            let before = seen.epoch();
            seen = self.look(jetstream).await?;
            if seen.epoch() != before {
                return Err(Interrupted::Again);
            }
        }
        if let Some((sequence, nanos)) = known.mark
            && self.parts.spec.stored_at(jetstream, sequence).await?.is_some_and(|stored| stored != nanos)
        {
            return self.declare_lost(jetstream, &seen).await;
        }
        Ok(())
    }

    async fn declare_lost(&self, jetstream: &Context, seen: &Seen) -> Result<(), Interrupted> {
        tracing::error!("the stream has lost messages that it had confirmed; its history begins anew");
        self.parts.spec.renew(jetstream, seen).await?;
        Err(Interrupted::Again)
    }

    /// Sees to it that the stream is still the one that is followed.
    fn check(&mut self, seen: Seen, quiet_since: Instant) -> Result<(), Interrupted> {
        let Some(known) = &mut self.known else { return Ok(()) };
        if seen.epoch() != known.feed.epoch() || seen.last < known.position {
            return Err(Interrupted::Again);
        }
        match seen.unfit {
            Some(unfit) => self.parts.set_state(State::Behind(unfit.to_string())),
            None => self.parts.set_state(State::Following),
        }
        // Gone before it came here, and nothing comes any more that would show it.
        if seen.first > known.position + 1 && quiet_since.elapsed() >= LOOK / 2 {
            lose(known, seen.first - 1).wake();
            self.arrived();
        }
        Ok(())
    }

    /// Takes a message, and those that are here already.
    fn take(&mut self, messages: &mut Consumer, first: Next) -> Result<(), Interrupted> {
        let Some(known) = &mut self.known else { return Ok(()) };
        let mut intake = Intake::new(known, &mut self.foreign);
        let mut next = Some(first);
        let mut taken = Ok(());
        while let Some(message) = next.take() {
            taken = messages.trusted(message).map(|message| {
                if let Some(message) = message {
                    intake.take(&message);
                }
            });
            if taken.is_ok() && intake.room() {
                next = messages.next().now_or_never();
            }
        }
        let wakes = intake.finish();
        self.arrived();
        wakes.into_iter().for_each(Wake::wake);
        taken
    }

    async fn sweep(&mut self) {
        // In slices, so that others get in between.
        while self.known.as_mut().is_some_and(|known| known.feed.evict_aged(Timestamp::now())) {
            tokio::task::yield_now().await;
        }
    }

    /// Tells publishers how far the hub is.
    fn arrived(&self) {
        if let Some(known) = &self.known {
            self.parts.arrivals.reach(Cursor { epoch: known.feed.epoch(), offset: known.position });
        }
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.parts
    }

    pub(super) fn foreign(&mut self) -> &mut Vec<Foreign> {
        &mut self.foreign
    }
}

/// What a consumer hands out.
pub(super) type Next = Option<Result<jetstream::Message, jetstream::consumer::push::OrderedError>>;

/// The messages of a consumer that was checked.
pub(super) struct Consumer {
    messages: Ordered,
    name: String,
}

impl Consumer {
    pub(super) fn next(&mut self) -> impl Future<Output = Next> + '_ {
        self.messages.next()
    }

    /// The message, if it is of the consumer that was checked.
    pub(super) fn trusted(&self, next: Next) -> Result<Option<jetstream::Message>, Interrupted> {
        match next {
            Some(Ok(message)) => {
                let ours = message.info().is_ok_and(|info| info.consumer == self.name);
                if ours { Ok(Some(message)) } else { Err(Interrupted::Again) }
            }
            // The library makes another consumer; so does this.
            Some(Err(error)) if error.kind() == OrderedErrorKind::MissingHeartbeat => Err(Interrupted::Again),
            Some(Err(error)) => Err(Interrupted::Consumer(format!("the stream cannot be followed: {error}"))),
            None => Err(Interrupted::Consumer("the stream can no longer be followed".to_owned())),
        }
    }
}

/// Messages on their way into a history.
pub(super) struct Intake<'a> {
    known: &'a mut Known,
    foreign: &'a mut Vec<Foreign>,
    batch: Vec<Message>,
    taken: usize,
    wakes: Vec<Wake>,
}

impl<'a> Intake<'a> {
    pub(super) fn new(known: &'a mut Known, foreign: &'a mut Vec<Foreign>) -> Self {
        Self { known, foreign, batch: Vec::new(), taken: 0, wakes: Vec::new() }
    }

    pub(super) fn room(&self) -> bool {
        self.taken < BATCH
    }

    /// Takes what has been stored under the next number. Where numbers are missing, what they stood for was given up
    /// before it came here, and of which topics it was is not known.
    pub(super) fn take(&mut self, message: &jetstream::Message) {
        let Some((sequence, nanos)) = place(message) else { return };
        self.lose_before(sequence);
        self.take_next(message, sequence, nanos);
    }

    /// Takes what lies between the last number and this one for lost, of every topic.
    pub(super) fn lose_before(&mut self, sequence: u64) {
        if sequence > self.known.position + 1 {
            self.append();
            let (from, to) = (self.known.position + 1, sequence - 1);
            tracing::info!(from, to, "messages were given up before they came here");
            self.wakes.push(lose(self.known, to));
        }
    }

    /// As [`Intake::take`], but numbers may be missing. Returns the message's topic, if it is a message.
    pub(super) fn take_next(&mut self, message: &jetstream::Message, sequence: u64, nanos: i128) -> Option<&Message> {
        self.taken += 1;
        // A consumer that was made again may have begun too early.
        if sequence <= self.known.position {
            return None;
        }
        self.known.position = sequence;
        self.known.mark = Some((sequence, nanos));
        let stored =
            Stored { subject: &message.subject, headers: message.headers.as_ref(), payload: &message.payload, nanos };
        match stored.message(Cursor { epoch: self.known.feed.epoch(), offset: sequence }) {
            Ok(message) => {
                self.batch.push(message);
                self.batch.last()
            }
            Err(foreign) => {
                if !self.foreign.contains(&foreign) {
                    self.foreign.push(foreign);
                    let subject = message.subject.as_str();
                    tracing::warn!(%foreign, subject, sequence, "passed over what is no message; this is said once");
                }
                None
            }
        }
    }

    fn append(&mut self) {
        if !self.batch.is_empty() {
            self.wakes.push(self.known.feed.append(self.batch.drain(..)));
        }
        self.known.feed.skip_to(self.known.position);
    }

    /// Has everything taken visible. Who waits is to be woken.
    pub(super) fn finish(mut self) -> Vec<Wake> {
        self.append();
        self.wakes
    }
}

/// The number of something stored, and when it was.
pub(super) fn place(message: &jetstream::Message) -> Option<(u64, i128)> {
    let info = message.info().ok()?;
    Some((info.stream_sequence, info.published.unix_timestamp_nanos()))
}

fn lose(known: &mut Known, through: u64) -> Wake {
    known.position = through;
    known.feed.lost_through(through)
}
