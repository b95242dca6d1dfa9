//! The rate at which one publisher may publish: `--publish-rate`.

use std::collections::HashMap;
use std::str::FromStr;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::publisher::Publisher;

/// The number of publishers from which on those that no longer matter are looked for.
const MANY: usize = 1024;

/// Messages per second, and the number that may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishRate {
    per_second: u32,
    burst: u32,
}

/// The error for a text that is no rate.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("write messages per second, such as 50, or with the most at once, such as 50:200; both at least 1")]
pub struct BadPublishRate;

impl FromStr for PublishRate {
    type Err = BadPublishRate;

    fn from_str(text: &str) -> Result<Self, BadPublishRate> {
        let number = |text: &str| text.parse().ok().filter(|number| *number >= 1).ok_or(BadPublishRate);
        let (per_second, burst) = match text.split_once(':') {
            Some((per_second, burst)) => (number(per_second)?, number(burst)?),
            None => (number(text)?, number(text)?),
        };
        Ok(Self { per_second, burst })
    }
}

/// The publisher has published more than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooFast {
    /// The messages per second that it may publish.
    pub(crate) per_second: u32,
    /// The time after which it may publish again.
    pub(crate) wait: Duration,
}

/// The rates of all publishers.
///
/// A publisher may publish as long as it has not used up what may come at once; an array that is larger than what is left is taken as
/// a whole, and made up for by a longer wait.
#[derive(Debug)]
pub(crate) struct PublishRates {
    rate: PublishRate,
    publishers: Mutex<Publishers>,
}

#[derive(Debug, Default)]
struct Publishers {
    /// The times at which the publishers have made up for all that they have published.
    even_at: HashMap<Publisher, Instant>,
    /// The number of them from which on those that have are dropped.
    many: usize,
}

impl PublishRates {
    pub(crate) fn new(rate: PublishRate) -> Self {
        Self { rate, publishers: Mutex::new(Publishers { even_at: HashMap::new(), many: MANY }) }
    }

    /// Fails while the publisher may not publish.
    pub(crate) fn check(&self, publisher: &Publisher) -> Result<(), TooFast> {
        let publishers = self.publishers.lock();
        let Some(even_at) = publishers.even_at.get(publisher) else { return Ok(()) };
        let owed = even_at.saturating_duration_since(Instant::now());
        let PublishRate { per_second, burst } = self.rate;
        let wait = owed.saturating_sub(self.time_of(burst as usize - 1));
        if wait.is_zero() { Ok(()) } else { Err(TooFast { per_second, wait }) }
    }

    /// Counts messages of a publisher, which may publish.
    pub(crate) fn count(&self, publisher: Publisher, messages: usize) {
        let now = Instant::now();
        let mut publishers = self.publishers.lock();
        let Publishers { even_at, many } = &mut *publishers;
        if even_at.len() >= *many {
            even_at.retain(|_, even_at| *even_at > now);
            *many = (even_at.len() * 2).max(MANY);
        }
        let even_at = even_at.entry(publisher).or_insert(now);
        *even_at = (*even_at).max(now) + self.time_of(messages);
    }

    /// The time in which a publisher may publish so many messages.
    fn time_of(&self, messages: usize) -> Duration {
        Duration::from_secs_f64(messages as f64 / f64::from(self.rate.per_second))
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use tokio::time::advance;

    use super::*;
    use crate::client_address::ClientAddress;

    fn client(number: u8) -> Publisher {
        ClientAddress::from(IpAddr::from([192, 0, 2, number])).into()
    }

    fn publish(rates: &PublishRates, client: Publisher, messages: usize) -> Result<(), Duration> {
        rates.check(&client).map_err(|too_fast| too_fast.wait)?;
        rates.count(client, messages);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_may_publish_at_the_rate_and_some_at_once() {
        let rates = PublishRates::new("10:3".parse().unwrap());
        for _ in 0..3 {
            assert_eq!(publish(&rates, client(1), 1), Ok(()));
        }
        let wait = publish(&rates, client(1), 1).unwrap_err();
        assert_eq!(wait.as_millis(), 100);
        assert_eq!(publish(&rates, client(2), 1), Ok(()), "another client");
        advance(wait).await;
        assert_eq!(publish(&rates, client(1), 1), Ok(()), "after exactly the wait");
        assert!(publish(&rates, client(1), 1).is_err());
        advance(Duration::from_secs(60)).await;
        let at_once = (0..10).take_while(|_| publish(&rates, client(1), 1).is_ok()).count();
        assert_eq!(at_once, 3, "silence is not saved up");
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_array_is_made_up_for() {
        let rates = PublishRates::new("10".parse().unwrap());
        assert_eq!(publish(&rates, client(1), 100), Ok(()));
        assert_eq!(publish(&rates, client(1), 1).unwrap_err().as_millis(), 9_100);
    }

    #[tokio::test(start_paused = true)]
    async fn clients_that_have_made_up_for_all_take_no_memory() {
        let rates = PublishRates::new("1000".parse().unwrap());
        for number in 0..100_000_u32 {
            rates.count(ClientAddress::from(IpAddr::from(number.to_be_bytes())).into(), 1);
            advance(Duration::from_micros(10)).await;
        }
        assert!(rates.publishers.lock().even_at.len() <= 2 * MANY);
    }

    #[test]
    fn a_rate_is_one_number_or_two() {
        assert_eq!("50".parse(), Ok(PublishRate { per_second: 50, burst: 50 }));
        assert_eq!("50:200".parse(), Ok(PublishRate { per_second: 50, burst: 200 }));
        for text in ["", "0", "5:0", "5/s", "-1", "1:2:3", "5:"] {
            assert_eq!(text.parse::<PublishRate>(), Err(BadPublishRate), "{text}");
        }
    }
}
