//! Shutting down without losing anything: clients are released one after the other, so that those who take over are not
//! overrun by all of them at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// The part of the window in which connections are released: not at once, so that publications under way reach
/// everyone, and not at the end, so that the last ones have time for their last bytes.
const RELEASE: std::ops::Range<f64> = 0.05..0.8;

/// The shutting down of a service: its beginning, and each connection's turn to go.
#[derive(Debug, Clone)]
pub struct Drain {
    begun: CancellationToken,
    /// The same as an atomic, since every answer reads it.
    draining: Arc<AtomicBool>,
    window: Duration,
    /// The time at which shutting down began.
    since: Arc<OnceLock<Instant>>,
}

impl Drain {
    /// Makes a drain that will release connections over `window`.
    pub fn new(window: Duration) -> Self {
        Self { begun: CancellationToken::new(), draining: Arc::default(), window, since: Arc::default() }
    }

    /// Begins to shut down. Connections are woken by [`crate::app::App::begin_drain`].
    pub(crate) fn begin(&self) {
        let _ = self.since.set(Instant::now());
        self.draining.store(true, Ordering::Release);
        self.begun.cancel();
    }

    /// Returns whether shutting down has begun.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Waits until shutting down begins.
    pub fn begun(&self) -> WaitForCancellationFutureOwned {
        self.begun.clone().cancelled_owned()
    }

    /// The time that shutting down may take.
    pub fn window(&self) -> Duration {
        self.window
    }

    /// Picks a random point of the window, or now if that is past: one connection's turn to go.
    pub fn release(&self) -> Instant {
        let now = Instant::now();
        let at = RELEASE.start + fastrand::f64() * (RELEASE.end - RELEASE.start);
        let since = self.since.get().copied().unwrap_or(now);
        (since + self.window.mul_f64(at)).max(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn releases_are_spread_over_the_window() {
        let drain = Drain::new(Duration::from_secs(10));
        drain.begin();
        drain.begun().await;
        let mut tenths = [0; 10];
        for _ in 0..10_000 {
            let after = drain.release() - Instant::now();
            tenths[(after.as_secs_f64().floor() as usize).min(9)] += 1;
        }
        // The first tenth has half of its time, in which two thirds of a tenth are expected; half of that never fails by chance.
        assert!(tenths[..8].iter().all(|&count| count > 333), "{tenths:?}");
        assert_eq!(tenths[8..], [0, 0], "the last ones need time to hear of it: {tenths:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_asks_late_is_released_within_the_window_all_the_same() {
        let drain = Drain::new(Duration::from_secs(10));
        drain.begin();
        let end = Instant::now() + Duration::from_secs(10);
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!((0..100).all(|_| drain.release() < end));
    }
}
