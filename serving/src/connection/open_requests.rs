//! The requests that an HTTP/2 connection has open, and the times in which it has none.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::address_limit::Seat;

/// The requests of a connection that are open.
#[derive(Debug, Clone, Default)]
pub(super) struct Open(watch::Sender<Count>);

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    open: usize,
    /// There has been one.
    has_begun: bool,
}

/// A request that is open until this is dropped.
pub(super) struct OpenRequest {
    open: Open,
    /// Counts the request for its client, where there is a limit for each address.
    _seat: Option<Arc<Seat>>,
}

impl Open {
    pub(super) fn begin(&self, seat: Option<Arc<Seat>>) -> OpenRequest {
        self.0.send_modify(|count| *count = Count { open: count.open + 1, has_begun: true });
        OpenRequest { open: self.clone(), _seat: seat }
    }

    /// Waits until there has been a request.
    pub(super) async fn begun(&self) {
        // An error would mean that the sender has gone, which is `self`.
        let _ = self.0.subscribe().wait_for(|count| count.has_begun).await;
    }

    /// Waits until no request has been open for a time, which is that of the first request at first.
    pub(super) async fn idle(&self, first: Duration, further: Duration) {
        let mut count = self.0.subscribe();
        loop {
            // An error would mean that the sender has gone, which is `self`.
            let within = match count.wait_for(|count| count.open == 0).await {
                Ok(count) if count.has_begun => further,
                _ => first,
            };
            // A request may have begun and ended between two looks: it counts too.
            tokio::select! {
                () = sleep(within) => return,
                _ = count.changed() => {}
            }
        }
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.open.0.send_modify(|count| count.open -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use tokio::time::{Instant, advance, timeout};

    use super::*;

    const FIRST: Duration = Duration::from_secs(10);
    const FURTHER: Duration = Duration::from_secs(3);

    /// The time after which a connection counts as idle.
    async fn idle_after(open: &Open) -> Duration {
        let begin = Instant::now();
        open.idle(FIRST, FURTHER).await;
        begin.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_request_and_the_further_ones_have_times_of_their_own() {
        let open = Open::default();
        assert_eq!(idle_after(&open).await, FIRST);
        drop(open.begin(None));
        assert_eq!(idle_after(&open).await, FURTHER);
        let _request = open.begin(None);
        assert!(timeout(100 * FIRST, open.idle(FIRST, FURTHER)).await.is_err());
    }

    /// A request that begins and ends before anybody looks is a request.
    #[tokio::test(start_paused = true)]
    async fn a_short_request_begins_the_time_anew() {
        let open = Open::default();
        let begin = Instant::now();
        let mut idle = pin!(open.idle(FIRST, FURTHER));
        for _ in 0..5 {
            assert!(timeout(Duration::ZERO, idle.as_mut()).await.is_err());
            advance(FURTHER - Duration::from_secs(1)).await;
            drop(open.begin(None));
        }
        idle.await;
        assert_eq!(begin.elapsed(), 5 * (FURTHER - Duration::from_secs(1)) + FURTHER);
    }
}
