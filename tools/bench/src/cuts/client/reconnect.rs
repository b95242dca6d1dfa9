//! A client that reconnects.

use std::sync::atomic::Ordering;
use std::time::Duration;

use fastrand::Rng;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::endpoint::Endpoint;
use super::notes::Notes;
use super::{poll, sse, ws};
use crate::cuts::events::Event;
use crate::target::Method;

/// The pause before the first reconnect, and the longest one; each is varied by half.
const PAUSE: std::ops::RangeInclusive<Duration> = Duration::from_millis(20)..=Duration::from_secs(1);

/// A client with its endpoints. When it reconnects, it sometimes takes another one.
#[derive(Debug)]
pub(crate) struct Client {
    /// Never empty.
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) rng: Rng,
}

impl Client {
    /// Follows until it is stopped. While `away` is true, it has no connection.
    pub(crate) async fn run(
        mut self,
        mut notes: Notes,
        mut away: watch::Receiver<bool>,
        stop: CancellationToken,
    ) -> Vec<Event> {
        let (mut failures, mut current) = (0, 0);
        loop {
            let before = notes.events.len();
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
                ended = session(&self.endpoints[current], &mut notes) => notes.ended(ended),
            }
            failures = if notes.events.len() > before { 0 } else { failures + 1 };
            notes.lost();
            let pause = (*PAUSE.start() * 2u32.saturating_pow(failures)).min(*PAUSE.end());
            let pause = pause.mul_f64(0.5 + fastrand::f64());
            tokio::select! {
                () = stop.cancelled() => return notes.events,
                () = sleep(pause) => {}
            }
            if self.endpoints.len() > 1 && self.rng.bool() {
                current = (current + 1) % self.endpoints.len();
                notes.progress.switches.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Waits until the value is `wanted`; for ever if its sender is gone.
async fn until(value: &mut watch::Receiver<bool>, wanted: bool) {
    let reached = value.wait_for(|&value| value == wanted).await.is_ok();
    if !reached {
        std::future::pending().await
    }
}

/// One connection, from its beginning to its end.
async fn session(endpoint: &Endpoint, notes: &mut Notes) -> anyhow::Result<()> {
    let began = notes.clock.now();
    match endpoint.method {
        Method::Ws => ws::session(endpoint, notes, began).await,
        Method::Poll => poll::session(endpoint, notes, began).await,
        Method::Sse => sse::session(endpoint, notes, began).await,
    }
}
