//! The follower: it fills the hub from the stream, with one ordered consumer for all topics and clients.
//!
//! A consumer is created and checked afterwards (see `consumer`). Whenever its messages can no longer be trusted, following
//! begins again from the position of the history, with an inspection of the stream.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::Notify;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep};

use crate::consumer::{Consumer, Delivery};
use crate::continuity;
use crate::fill::fill;
use crate::history::LocalHistory;
use crate::intake::{Intake, SkipLog};
use crate::interruption::Interruption;
use crate::replica::Replica;
use crate::status::Status;
use crate::stored_message::StoredMessage;
use crate::stream::{StreamError, StreamSnapshot};
use shared::backplane::Fatal;
use shared::cursor::Epoch;
use shared::hub::{Appender, Hub};

/// The interval between inspections that check that the stream is still the same.
const INSPECTION: Duration = Duration::from_secs(2);

/// The interval between evictions of old messages.
const EVICTION: Duration = Duration::from_secs(1);

/// The pause before another attempt.
const PAUSE: Duration = Duration::from_millis(200);

/// The reason that clients are given until missed messages have come.
const CATCHING_UP: &str = "catching up with the stream";

/// Fills the hub from the stream for as long as it is polled.
pub(crate) struct Follower {
    replica: Arc<Replica>,
    hub: Hub,
    /// The time for which subscribers are left asleep, so that they are woken once for several messages.
    gather: Duration,
    /// An appender of no hub; its `renew` makes those of the stream's histories.
    initial: Appender,
    history: Option<LocalHistory>,
    skipped: SkipLog,
    /// The end of the stream when following began, until it has been reached.
    catch_up_to: Option<u64>,
    /// The position at which the last inspection found later messages in the stream.
    behind_at: Option<u64>,
}

impl Follower {
    pub(crate) fn new(replica: Arc<Replica>, hub: Hub, appender: Appender, gather: Duration) -> Self {
        // A history knows its successor, so whoever kept the hub's first one would keep all that came after it.
        let (initial, skipped) = (appender.renew(Epoch::new(0)), SkipLog::default());
        Self { replica, hub, gather, initial, history: None, skipped, catch_up_to: None, behind_at: None }
    }

    /// Connects and follows. Returns only when that can never succeed.
    pub(crate) async fn run(mut self) -> Fatal {
        let replica = Arc::clone(&self.replica);
        if let Err(error) = replica.link.connect().await {
            return Fatal::new(error);
        }
        tokio::select! {
            fatal = self.retry() => fatal,
            never = replica.link.watch() => match never {},
        }
    }

    async fn retry(&mut self) -> Fatal {
        let replica = Arc::clone(&self.replica);
        // The reason why there is no history yet, as it was logged.
        let mut logged = None;
        loop {
            let connected = replica.link.until_up().await;
            let began = Instant::now();
            let interruption = tokio::select! {
                outcome = self.follow() => {
                    let Err(interruption) = outcome;
                    interruption
                }
                () = replica.link.until_lost(&connected) => {
                    // As long as there is no connection, clients are given that as the reason.
                    replica.set_failure(CATCHING_UP);
                    continue;
                }
            };
            match interruption {
                Interruption::Stream(error @ (StreamError::Unfit(_) | StreamError::TooOld { .. }))
                    if self.history.is_none() =>
                {
                    return Fatal::new(error);
                }
                Interruption::Stream(StreamError::Unfit(unfit)) => {
                    replica.set_status(Status::Unfit(unfit.to_string().into()));
                }
                Interruption::Restart if began.elapsed() >= PAUSE => continue,
                Interruption::Restart => {}
                interruption => {
                    let reason = interruption.to_string();
                    // Once there is a history, the change of the status is logged.
                    if self.history.is_none() && logged.as_ref() != Some(&reason) {
                        tracing::warn!(%reason, "the stream cannot be followed yet, trying again");
                        logged = Some(reason.clone());
                    }
                    replica.set_failure(reason);
                }
            }
            sleep(PAUSE.mul_f64(1.0 + fastrand::f64())).await;
        }
    }

    async fn follow(&mut self) -> Result<Infallible, Interruption> {
        let snapshot = self.replica.stream.inspect_or_create().await?;
        let (mut consumer, end) = match &self.history {
            Some(history) if history.epoch() == snapshot.epoch() => self.resume(history, &snapshot).await?,
            _ => self.begin(&snapshot).await?,
        };
        self.catch_up_to = Some(end);
        self.replica.figures.set_behind(end.saturating_sub(self.position()));
        self.behind_at = None;
        self.report_progress();

        let mut inspection = interval(INSPECTION);
        let mut eviction = interval(EVICTION);
        for timer in [&mut inspection, &mut eviction] {
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        let replica = Arc::clone(&self.replica);
        let mut inspecting = None;
        let mut position_then = 0;
        let mut quiet_since = Instant::now();
        loop {
            tokio::select! {
                delivery = consumer.next() => {
                    quiet_since = Instant::now();
                    self.take(&mut consumer, delivery)?;
                }
                () = until_due(&mut inspection, &replica.inspection_wanted), if inspecting.is_none() => {
                    position_then = self.position();
                    inspecting = Some(replica.stream.inspect().boxed());
                }
                outcome = async { inspecting.as_mut().expect("guarded by the condition").await }, if inspecting.is_some() => {
                    inspecting = None;
                    match outcome {
                        // The servers may be electing a leader. Messages that come are still of the same stream.
                        Err(error @ StreamError::Unreachable { .. }) => replica.set_failure(error.to_string()),
                        outcome => self.check(outcome?, position_then, quiet_since)?,
                    }
                }
                _ = eviction.tick() => self.evict().await,
            }
        }
    }

    /// Goes on from the position of the history. Returns the end of the stream too.
    async fn resume(&self, history: &LocalHistory, snapshot: &StreamSnapshot) -> Result<(Consumer, u64), Interruption> {
        continuity::check(&self.replica.stream, history, snapshot).await?;
        let (consumer, checked) = Consumer::create(&self.replica, history.position, snapshot).await?;
        // The stream may have lost messages in between, and have got further again.
        continuity::check(&self.replica.stream, history, &checked).await?;
        if history.position < checked.last {
            self.replica.set_failure(CATCHING_UP);
        }
        Ok((consumer, checked.last))
    }

    /// Fills a new history and hands it to the hub. Returns its end too.
    async fn begin(&mut self, snapshot: &StreamSnapshot) -> Result<(Consumer, u64), Interruption> {
        if self.history.is_some() {
            tracing::warn!("the stream holds another history; clients are sent a gap");
            self.replica.set_status(Status::Behind("filling the history".into()));
        }
        let appender = self.initial.renew(snapshot.epoch());
        let (history, consumer) = fill(&self.replica, appender, snapshot, &mut self.skipped).await?;
        self.hub.replace(&history.appender).wake();
        let end = history.position;
        self.history = Some(history);
        Ok((consumer, end))
    }

    /// Checks in a snapshot that the stream is still the one that is followed. The position was `position_then` when the
    /// snapshot was requested.
    fn check(
        &mut self,
        snapshot: StreamSnapshot,
        position_then: u64,
        quiet_since: Instant,
    ) -> Result<(), Interruption> {
        let Some(history) = &mut self.history else { return Ok(()) };
        if snapshot.epoch() != history.epoch() || snapshot.last < position_then {
            return Err(Interruption::Restart);
        }
        history.clock = snapshot.clock;
        self.replica.figures.set_behind(snapshot.last.saturating_sub(history.position));
        match snapshot.unfit {
            Some(unfit) => self.replica.set_status(Status::Unfit(unfit.to_string().into())),
            None if self.catch_up_to.is_none() => self.replica.set_status(Status::Following),
            None => {}
        }
        let behind_at = (snapshot.last > history.position).then_some(history.position);
        let stuck = behind_at.is_some() && behind_at == self.behind_at && quiet_since.elapsed() >= INSPECTION;
        self.behind_at = behind_at;
        // The stream gave messages up before they were delivered, and no later message comes that would show it.
        if snapshot.first > history.position + 1 && quiet_since.elapsed() >= INSPECTION / 2 {
            history.lose(snapshot.first - 1).wake();
            self.report_progress();
        } else if stuck {
            tracing::warn!("the stream holds messages that are not delivered; following begins again");
            return Err(Interruption::Restart);
        }
        Ok(())
    }

    /// Takes a message, and those that are already here.
    fn take(&mut self, consumer: &mut Consumer, first: Delivery) -> Result<(), Interruption> {
        let Some(history) = &mut self.history else { return Ok(()) };
        let mut intake = Intake::new(history, &mut self.skipped);
        let mut next = Some(first);
        let mut outcome = Ok(());
        while let Some(delivery) = next.take() {
            match consumer.trusted(delivery) {
                Ok(message) => {
                    if let Some(message) = StoredMessage::delivered(&message) {
                        intake.take(&message);
                    }
                    if intake.has_room() {
                        next = consumer.next().now_or_never();
                    }
                }
                Err(interruption) => outcome = Err(interruption),
            }
        }
        let wakes = intake.finish();
        self.report_progress();
        wakes.into_iter().for_each(|wake| wake.wake_after(self.gather));
        outcome
    }

    /// Evicts old messages, in slices, so that other tasks get their turn.
    async fn evict(&mut self) {
        let evict = |history: &mut LocalHistory| history.appender.evict_aged(history.appender.now());
        while self.history.as_mut().is_some_and(evict) {
            tokio::task::yield_now().await;
        }
    }

    /// Reports the position to publishers, and to everybody once it has reached the end that the stream had.
    fn report_progress(&mut self) {
        let Some(history) = &self.history else { return };
        self.replica.progress.reach(history.cursor());
        if self.catch_up_to.is_some_and(|end| history.position >= end) {
            self.catch_up_to = None;
            self.replica.set_status(Status::Following);
        }
    }

    fn position(&self) -> u64 {
        self.history.as_ref().map_or(0, |history| history.position)
    }
}

/// Waits until the next inspection is due, by the clock or because somebody asks for one.
async fn until_due(inspection: &mut Interval, asked: &Notify) {
    tokio::select! {
        _ = inspection.tick() => {}
        () = asked.notified() => {}
    }
}
