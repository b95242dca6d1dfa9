//! Connections that say nothing, beside clients that ask and are refused.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::client::Client;
use super::ground::Ground;

/// One of so many attackers asks.
const ASKING: usize = 26;

/// The time between two requests of it: 8 of 208 attackers make 200 requests per second.
const PERIOD: Duration = Duration::from_millis(40);

/// Longer than any time-out of a service.
const FOREVER: Duration = Duration::from_secs(3600);

pub(super) async fn live(ground: &Ground, index: usize) -> anyhow::Result<()> {
    if index % ASKING != ASKING - 1 {
        return Client::connect(ground).await?.drain(FOREVER).await;
    }
    let request = ground.get("/");
    let mut due = interval(PERIOD);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        due.tick().await;
        // A connection that gives way to a newer one is not answered.
        let asked = async {
            let mut client = Client::connect(ground).await?;
            client.send(&request).await?;
            client.answer().await
        };
        let _ = asked.await;
    }
}
