//! One timer queue for all connections: it takes 16 bytes per connection, where a timer of the runtime takes some 200.
//!
//! A connection has one time at which it wants to be woken. Setting a later one, which nearly every request does, is one
//! store: the queue keeps the earlier entry, looks at the bell when that is due, and puts it back at the later time.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::bell::{Bell, CLOSED, NOT_QUEUED};

/// The resolution: a bell never rings early, and at most this late plus the runtime's delay.
const TICK: Duration = Duration::from_millis(10);

/// The longest time after which the queue looks at a bell again, in ticks. Entries that an earlier one has replaced, and
/// those of connections that have ended, are gone after it.
const HORIZON: u64 = 6_000;

/// The times at which connections want to be woken.
#[derive(Debug)]
pub(crate) struct Timers {
    start: Instant,
    queue: Mutex<BTreeMap<u64, Vec<Arc<Bell>>>>,
    /// Notified when an entry becomes the first.
    earlier: Notify,
}

impl Timers {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), queue: Mutex::default(), earlier: Notify::new() }
    }

    /// Sets the time at which the bell rings, in place of the last time set.
    ///
    /// After the bell was found rung, this has to be called again if the time is still to come: the queue may have
    /// removed the bell already.
    pub(crate) fn set(&self, bell: &Arc<Bell>, due: Instant) {
        let due = self.tick_after(due);
        bell.due.store(due, Ordering::SeqCst);
        if bell.queued.load(Ordering::SeqCst) > due {
            self.enqueue(bell, due.min(self.now() + HORIZON));
        }
    }

    fn enqueue(&self, bell: &Arc<Bell>, tick: u64) {
        let mut queue = self.queue.lock();
        let first = queue.first_key_value().is_none_or(|(first, _)| tick < *first);
        bell.queued.store(tick, Ordering::SeqCst);
        queue.entry(tick).or_default().push(Arc::clone(bell));
        drop(queue);
        if first {
            self.earlier.notify_one();
        }
    }

    /// Rings all bells, whatever their time.
    pub(crate) fn ring_all(&self) {
        let bells: Vec<_> = self.queue.lock().values().flatten().cloned().collect();
        bells.iter().for_each(|bell| bell.ring());
    }

    /// Rings the bells whose time has come, for as long as it is polled.
    pub(crate) async fn run(&self) {
        loop {
            let next = self.queue.lock().first_key_value().map(|(tick, _)| *tick);
            match next {
                None => self.earlier.notified().await,
                Some(tick) => {
                    tokio::select! {
                        () = sleep_until(self.time_of(tick)) => self.ring_due(),
                        () = self.earlier.notified() => {}
                    }
                }
            }
        }
    }

    fn ring_due(&self) {
        let now = self.now();
        let mut ringing = Vec::new();
        let mut queue = self.queue.lock();
        let later = queue.split_off(&(now + 1));
        for (tick, bells) in mem::replace(&mut *queue, later) {
            for bell in bells {
                // An entry that an earlier one has replaced.
                if bell.queued.load(Ordering::SeqCst) != tick {
                    continue;
                }
                let due = bell.due.load(Ordering::SeqCst);
                if due == CLOSED {
                    continue;
                }
                if due <= now {
                    bell.queued.store(NOT_QUEUED, Ordering::SeqCst);
                    ringing.push(bell);
                } else {
                    let tick = requeue(&bell, due.min(now + HORIZON));
                    queue.entry(tick).or_default().push(bell);
                }
            }
        }
        drop(queue);
        ringing.iter().for_each(|bell| bell.ring());
    }

    /// Returns the last tick that has passed.
    fn now(&self) -> u64 {
        let ticks = self.start.elapsed().as_nanos() / TICK.as_nanos();
        u64::try_from(ticks).unwrap_or(CLOSED - 1)
    }

    /// Returns the first tick that is not before a time.
    fn tick_after(&self, time: Instant) -> u64 {
        let ticks = time.saturating_duration_since(self.start).as_nanos().div_ceil(TICK.as_nanos());
        u64::try_from(ticks).unwrap_or(CLOSED - 1)
    }

    fn time_of(&self, tick: u64) -> Instant {
        self.start + Duration::from_nanos(tick.saturating_mul(TICK.as_nanos() as u64))
    }
}

/// Records the tick at which the queue looks at a bell next, and returns it.
///
/// [`Timers::set`] stores the time and then loads this tick; here the tick is stored and then the time loaded. So one of
/// the two sees the other, and a time that was brought forward meanwhile is not overlooked.
fn requeue(bell: &Bell, mut tick: u64) -> u64 {
    loop {
        bell.queued.store(tick, Ordering::SeqCst);
        let brought_forward = bell.due.load(Ordering::SeqCst);
        if brought_forward >= tick {
            return tick;
        }
        tick = brought_forward;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rung(bell: &Bell) -> bool {
        bell.take()
    }

    fn silent_bell() -> Arc<Bell> {
        let bell = Arc::new(Bell::new());
        bell.take();
        bell
    }

    async fn pass(timers: &Timers, time: Duration) {
        let _ = tokio::time::timeout(time, timers.run()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_bell_rings_at_its_time_and_not_before() {
        let (timers, bell) = (Timers::new(), silent_bell());
        timers.set(&bell, Instant::now() + Duration::from_millis(105));
        pass(&timers, Duration::from_millis(104)).await;
        assert!(!rung(&bell));
        pass(&timers, TICK).await;
        assert!(rung(&bell));
        pass(&timers, Duration::from_secs(60)).await;
        assert!(!rung(&bell), "it rings once");
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_time_set_counts_whether_later_or_earlier() {
        let (timers, later, earlier) = (Timers::new(), silent_bell(), silent_bell());
        let now = Instant::now();
        timers.set(&later, now + Duration::from_secs(1));
        timers.set(&later, now + Duration::from_secs(3));
        timers.set(&earlier, now + Duration::from_secs(3));
        timers.set(&earlier, now + Duration::from_secs(1));
        pass(&timers, Duration::from_secs(2)).await;
        assert_eq!((rung(&later), rung(&earlier)), (false, true));
        pass(&timers, Duration::from_secs(2)).await;
        assert_eq!((rung(&later), rung(&earlier)), (true, false));
    }

    #[tokio::test(start_paused = true)]
    async fn times_that_are_moved_on_again_and_again_take_few_entries() {
        let (timers, bell) = (Timers::new(), silent_bell());
        for _ in 0..1000 {
            timers.set(&bell, Instant::now() + Duration::from_secs(25));
            pass(&timers, Duration::from_millis(50)).await;
            timers.set(&bell, Instant::now() + Duration::from_secs(10));
        }
        // One, and those that an earlier time has replaced and that are still to come.
        assert!(timers.queue.lock().values().map(Vec::len).sum::<usize>() <= 4);
        assert!(!rung(&bell));
    }

    #[tokio::test(start_paused = true)]
    async fn connections_that_have_ended_leave_nothing_in_the_queue() {
        let timers = Timers::new();
        for seconds in [10, 30 * 24 * 60 * 60] {
            let bell = silent_bell();
            timers.set(&bell, Instant::now() + Duration::from_secs(10));
            timers.set(&bell, Instant::now() + Duration::from_secs(seconds));
            bell.close();
        }
        pass(&timers, Duration::from_secs(61)).await;
        assert!(timers.queue.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_beyond_the_horizon_is_kept() {
        let (timers, bell) = (Timers::new(), silent_bell());
        timers.set(&bell, Instant::now() + Duration::from_secs(150));
        pass(&timers, Duration::from_secs(149)).await;
        assert!(!rung(&bell));
        pass(&timers, Duration::from_secs(2)).await;
        assert!(rung(&bell));
    }

    #[tokio::test(start_paused = true)]
    async fn all_bells_are_rung_when_the_drain_begins() {
        let (timers, bells) = (Timers::new(), [silent_bell(), silent_bell()]);
        for (bell, seconds) in bells.iter().zip([1, 1000]) {
            timers.set(bell, Instant::now() + Duration::from_secs(seconds));
        }
        timers.ring_all();
        assert!(bells.iter().all(|bell| rung(bell)));
    }
}
