//! The simulated source of messages: one every few seconds.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};
use tracing::warn;

use crate::backplane::{Backplane, Publication};
use crate::message::Draft;
use crate::topic::Topic;

/// In a ticker's text, what stands for the local time.
pub const TIME: &str = "{time}";

/// Publishes `text` on the topic `main` every `period`, for as long as it is polled. In the text, `{time}` is replaced
/// by the local time as `HH:MM:SS`. A period of zero publishes nothing.
pub async fn run(backplane: Arc<dyn Backplane>, period: Duration, text: String) {
    if period.is_zero() {
        return std::future::pending().await;
    }
    let mut ticks = tokio::time::interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let text = if text.contains(TIME) { text.replace(TIME, &local_time()) } else { text.clone() };
        let publication = Publication { topic: Topic::default(), drafts: vec![Draft::text(text)], key: None };
        if let Err(error) = backplane.publish(publication).await {
            warn!(%error, "tick not published");
        }
    }
}

fn local_time() -> String {
    jiff::Zoned::now().strftime("%H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backplane::Local;
    use crate::cursor::Position;
    use crate::hub::{BatchLimit, HistoryLimits};

    const LIMITS: HistoryLimits = HistoryLimits { messages: 10, age: Duration::from_secs(60), bytes: 1 << 20 };

    async fn texts(period: Duration, text: &str, wait: Duration) -> Vec<String> {
        let (local, hub) = Local::new(LIMITS, 1, |message| message.to_json().into());
        let mut subscriber = hub.subscribe(&[Topic::default().into()], Position::Now);
        let ticker = run(Arc::new(local), period, text.to_owned());
        assert!(tokio::time::timeout(wait, ticker).await.is_err(), "a ticker never ends");
        let batch = subscriber.read(BatchLimit { messages: 100, bytes: usize::MAX });
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

    #[tokio::test(start_paused = true)]
    async fn a_period_of_zero_turns_it_off() {
        assert!(texts(Duration::ZERO, "x", Duration::from_secs(60)).await.is_empty());
    }
}
