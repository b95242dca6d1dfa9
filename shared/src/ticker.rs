//! The simulated source of messages: one every few seconds.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{Instant, MissedTickBehavior, sleep};
use tracing::warn;

use crate::backplane::{Backplane, IdempotencyKey, Publication, PublishError};
use crate::message::Draft;
use crate::topic::Topic;

/// The placeholder for the local time in a ticker's text.
pub const TIME: &str = "{time}";

/// Publishes `text` on the topic `main` every `period`, for as long as it is polled. In the text, `{time}` is replaced
/// by the local time as `HH:MM:SS`. A period of zero publishes nothing.
///
/// When processes share a history, they tick together: whenever the time since the Unix epoch is a multiple of the
/// period, all of them publish the same tick, and the backplane takes the first.
pub async fn run(backplane: Arc<dyn Backplane>, period: Duration, text: String) {
    if period.is_zero() {
        return std::future::pending().await;
    }
    let shared = backplane.is_shared();
    let mut ticks = tokio::time::interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut failed_before = 0_u64;
    loop {
        let key = if shared {
            let (number, wait) = next_tick(period, since_epoch());
            sleep(wait).await;
            Some(IdempotencyKey::of_tick(period, number))
        } else {
            ticks.tick().await;
            None
        };
        let text = if text.contains(TIME) { text.replace(TIME, &local_time()) } else { text.clone() };
        let publication = Publication::new(Topic::default(), vec![Draft::text(text)], key);
        let failed = match backplane.publish(publication).await {
            // Another process published this tick, with its own text.
            Ok(_) | Err(PublishError::KeyReused) => None,
            Err(error) => Some(error),
        };
        // One alone may come while the history is still being opened.
        if let Some(error) = &failed
            && failed_before == 1
        {
            warn!(%error, "ticks are not published");
        }
        failed_before = if failed.is_some() { failed_before + 1 } else { 0 };
    }
}

/// The number of the next tick, and the time until then.
fn next_tick(period: Duration, now: Duration) -> (u128, Duration) {
    let number = now.as_nanos() / period.as_nanos() + 1;
    let wait = number * period.as_nanos() - now.as_nanos();
    (number, Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX)))
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn local_time() -> String {
    jiff::Zoned::now().strftime("%H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backplane::Memory;
    use crate::cursor::Position;
    use crate::hub::{BatchLimit, Format, HistoryLimits};

    static JSON: Format = Format::new(|message| message.to_json().into());

    const LIMITS: HistoryLimits = HistoryLimits { messages: 10, age: Duration::from_secs(60), bytes: 1 << 20 };

    async fn texts(period: Duration, text: &str, wait: Duration) -> Vec<String> {
        let (memory, hub) = Memory::new(LIMITS, 1);
        let mut subscriber = hub.subscribe(&[Topic::default().into()], Position::Now);
        let ticker = run(Arc::new(memory), period, text.to_owned());
        assert!(tokio::time::timeout(wait, ticker).await.is_err(), "a ticker never ends");
        let batch = subscriber.read(&JSON, BatchLimit { messages: 100, bytes: usize::MAX });
        batch.entries.iter().map(|entry| entry.message.text.to_string()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn it_ticks_once_a_period() {
        let five = Duration::from_secs(5);
        assert_eq!(texts(five, "New message", five * 3 + five / 2).await, ["New message"; 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_text_can_tell_the_time() {
        let second = Duration::from_secs(1);
        let texts = texts(second, "at {time}!", second * 3 / 2).await;
        let time = texts[0].strip_prefix("at ").and_then(|rest| rest.strip_suffix('!')).unwrap();
        assert!(jiff::civil::Time::strptime("%H:%M:%S", time).is_ok(), "{time}");
    }

    #[test]
    fn processes_that_tick_together_number_their_ticks_alike() {
        let (period, ms) = (Duration::from_secs(5), Duration::from_millis);
        assert_eq!(next_tick(period, ms(10_001)), (3, ms(4_999)));
        assert_eq!(next_tick(period, ms(14_999)), (3, ms(1)));
        assert_eq!(next_tick(period, ms(15_000)), (4, ms(5_000)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_period_of_zero_turns_it_off() {
        assert!(texts(Duration::ZERO, "x", Duration::from_secs(60)).await.is_empty());
    }
}
