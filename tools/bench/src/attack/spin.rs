//! No attack: the cost of a load generator that uses a core, to compare the others with.

use std::time::{Duration, Instant};

use tokio::task::yield_now;

pub(super) async fn live() -> anyhow::Result<()> {
    loop {
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(1) {
            std::hint::spin_loop();
        }
        yield_now().await;
    }
}
