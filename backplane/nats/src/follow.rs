//! From the stream to the hub: one ordered consumer for all topics and clients.
//!
//! A consumer is made and checked afterwards (see `consumer`); whenever its messages cannot be trusted any more, this begins
//! again, from the own position, with a look at the stream.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Context;
use futures_util::FutureExt;
use tokio::sync::Notify;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep};

use super::consumer::{Consumer, Next};
use super::intake::{Intake, Known};
use super::stream::{LookError, Seen};
use super::wire::Foreign;
use super::{Parts, State, fill};
use shared::cursor::Cursor;
use shared::hub::{Appender, Hub};
use shared::timestamp::Timestamp;

/// How often the stream is looked at, to see that it is still the same.
const LOOK: Duration = Duration::from_secs(2);

/// How often old messages are looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// The pause before another attempt.
const PAUSE: Duration = Duration::from_millis(200);

/// How long a stream may seem to have gone back before it is believed: a server that has just taken over may not have
/// caught up.
const DISBELIEF: Duration = Duration::from_secs(2);

/// What clients are told until what was missed has come.
const CATCHING_UP: &str = "catching up with the stream";

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

/// Follows the stream for as long as it is polled.
pub(super) async fn run(parts: Arc<Parts>, hub: Hub, appender: Appender) -> anyhow::Error {
    if let Err(error) = parts.link.connect().await {
        return error;
    }
    let mut follower = Follower {
        parts: Arc::clone(&parts),
        hub,
        unborn: appender,
        known: None,
        foreign: Vec::new(),
        goal: None,
        behind_at: None,
    };
    tokio::select! {
        error = follower.run() => error,
        never = parts.link.watch() => match never {},
    }
}

pub(super) struct Follower {
    parts: Arc<Parts>,
    hub: Hub,
    /// Of the history that was there before any was known; makes those of others.
    unborn: Appender,
    known: Option<Known>,
    /// What has been seen that is no message, to log each kind once.
    foreign: Vec<Foreign>,
    /// Where the stream ended when following began, until it has been reached.
    goal: Option<u64>,
    /// The position at which the last look found more in the stream.
    behind_at: Option<u64>,
}

impl Follower {
    async fn run(&mut self) -> anyhow::Error {
        let parts = Arc::clone(&self.parts);
        // Why nothing is known yet, as it was logged.
        let mut told = None;
        loop {
            let health = parts.link.until_up().await;
            let began = Instant::now();
            let interrupted = tokio::select! {
                interrupted = self.follow() => interrupted,
                () = parts.link.until_not(&health) => {
                    // What clients are told is that NATS is away.
                    parts.set_trouble(CATCHING_UP.to_owned());
                    continue;
                }
            };
            match interrupted {
                Interrupted::Look(error @ (LookError::Unfit(_) | LookError::TooOld(_))) if self.known.is_none() => {
                    return error.into();
                }
                Interrupted::Look(LookError::Unfit(unfit)) => parts.set_state(State::Unfit(unfit.to_string())),
                Interrupted::Again if began.elapsed() >= PAUSE => continue,
                Interrupted::Again => {}
                interrupted => {
                    let reason = interrupted.to_string();
                    // Later on, the change of state says so.
                    if self.known.is_none() && told.as_ref() != Some(&reason) {
                        tracing::warn!(%reason, "the stream cannot be followed yet, trying again");
                        told = Some(reason.clone());
                    }
                    parts.set_trouble(reason);
                }
            }
            sleep(PAUSE.mul_f64(1.0 + fastrand::f64())).await;
        }
    }

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
            Some(known) if known.appender.epoch() == seen.epoch() => {
                let after = known.position;
                self.settle(&jetstream, &seen).await?;
                let (messages, checked) = self.consume(&jetstream, after, &seen).await?;
                // It may have gone back in between, and be further again.
                self.settle(&jetstream, &checked).await?;
                self.goal = Some(checked.last);
                if self.position() < checked.last {
                    self.parts.set_trouble(CATCHING_UP.to_owned());
                }
                messages
            }
            known => {
                if known.is_some() {
                    tracing::warn!("the stream holds another history; clients are told of a gap");
                    self.parts.set_state(State::Behind("filling the history".to_owned()));
                }
                let appender = self.unborn.renew(seen.epoch());
                let (known, messages) = fill::fill(self, &jetstream, appender, &seen).await?;
                self.hub.replace(&known.appender).wake();
                self.goal = Some(known.position);
                self.known = Some(known);
                messages
            }
        };
        self.behind_at = None;
        self.arrived();

        let mut looking = interval(LOOK);
        let mut sweeping = interval(SWEEP);
        for timer in [&mut looking, &mut sweeping] {
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        let parts = Arc::clone(&self.parts);
        let mut look = None;
        let mut position_then = 0;
        let mut quiet_since = Instant::now();
        loop {
            tokio::select! {
                message = messages.next() => {
                    quiet_since = Instant::now();
                    self.take(&mut messages, message)?;
                }
                () = until_due(&mut looking, &parts.doubt), if look.is_none() => {
                    position_then = self.position();
                    look = Some(parts.spec.watch(&jetstream).boxed());
                }
                seen = async { look.as_mut().expect("it is polled only if there is one").await }, if look.is_some() => {
                    look = None;
                    match seen {
                        // Perhaps it elects a leader. What comes is still of the same stream.
                        Err(error @ LookError::OutOfReach(..)) => parts.set_trouble(error.to_string()),
                        seen => self.check(seen?, position_then, quiet_since)?,
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
        let consumer = Consumer::make(jetstream, self.parts.spec.name(), after).await?;
        // A stream does not come back once it is gone. So if it is there after the consumer was made, and was there
        // before, the consumer is one of it.
        let seen = self.look(jetstream).await?;
        if seen.epoch() != before.epoch() {
            return Err(Interrupted::Again);
        }
        Ok((consumer, seen))
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

    /// Sees to it that the stream is still the one that is followed. More can have come since it was asked for, when the
    /// position was `position_then`.
    fn check(&mut self, seen: Seen, position_then: u64, quiet_since: Instant) -> Result<(), Interrupted> {
        let Some(known) = &mut self.known else { return Ok(()) };
        if seen.epoch() != known.appender.epoch() || seen.last < position_then {
            return Err(Interrupted::Again);
        }
        match seen.unfit {
            Some(unfit) => self.parts.set_state(State::Unfit(unfit.to_string())),
            None if self.goal.is_none() => self.parts.set_state(State::Following),
            None => {}
        }
        // There is more, and it does not come.
        let behind_at = (seen.last > known.position).then_some(known.position);
        let stuck = behind_at.is_some() && behind_at == self.behind_at && quiet_since.elapsed() >= LOOK;
        self.behind_at = behind_at;
        // Gone before it came here, and nothing comes any more that would show it.
        if seen.first > known.position + 1 && quiet_since.elapsed() >= LOOK / 2 {
            known.lose(seen.first - 1).wake();
            self.arrived();
        } else if stuck {
            tracing::warn!("what the stream holds does not come; following begins again");
            return Err(Interrupted::Again);
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
        wakes.into_iter().for_each(|wake| wake.wake_after(self.parts.gather));
        taken
    }

    async fn sweep(&mut self) {
        // In slices, so that others get in between.
        while self.known.as_mut().is_some_and(|known| known.appender.evict_aged(Timestamp::now())) {
            tokio::task::yield_now().await;
        }
    }

    /// Tells publishers how far the hub is, and everybody once it is as far as the stream was.
    fn arrived(&mut self) {
        let Some(known) = &self.known else { return };
        self.parts.arrivals.reach(Cursor { epoch: known.appender.epoch(), offset: known.position });
        if self.goal.is_some_and(|goal| known.position >= goal) {
            self.goal = None;
            self.parts.set_state(State::Following);
        }
    }

    fn position(&self) -> u64 {
        self.known.as_ref().map_or(0, |known| known.position)
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.parts
    }

    pub(super) fn foreign(&mut self) -> &mut Vec<Foreign> {
        &mut self.foreign
    }
}

/// Waits until the stream is to be looked at: every now and then, and when somebody has doubts.
async fn until_due(looking: &mut Interval, doubt: &Notify) {
    tokio::select! {
        _ = looking.tick() => {}
        () = doubt.notified() => {}
    }
}
