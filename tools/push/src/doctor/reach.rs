//! The service is there and ready, and its clock.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::DATE;
use serde::Deserialize;

use super::advice;
use super::finding::{Finding, Kind};
use crate::connection::{Service, Trouble};

const READY: &str = "service";
const CLOCK: &str = "clock";

/// The seconds by which clocks may differ: the leeway of tokens.
const LEEWAY: f64 = 5.0;

#[derive(Debug, Deserialize)]
struct Readiness {
    status: String,
    message: Option<String>,
}

/// Asks `/readyz`, and fails if the answer does not come in time.
pub(super) async fn check(service: &Service, patience: Duration) -> Result<Vec<Finding>, Trouble> {
    service.in_time(patience, ask(service)).await
}

async fn ask(service: &Service) -> Result<Vec<Finding>, Trouble> {
    let asked = service.send(service.get(service.url("/readyz", [])));
    let response = match asked.await {
        Ok(response) => response,
        Err(Trouble::Busy { status: StatusCode::SERVICE_UNAVAILABLE, error: Some(_), message, .. }) => {
            return Ok(vec![Finding::new(READY, Kind::Bad, format!("it is there and not ready: {message}"))]);
        }
        Err(trouble) => return Err(trouble),
    };
    let date = response.headers().get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    let body = response.bytes().await.map_err(|error| service.unreachable(&error))?;
    let readiness: Readiness = serde_json::from_slice(&body).map_err(|error| service.strange(&error))?;
    let ready = match readiness.message {
        None => Finding::good(READY, format!("{} is there, and {}", service.name(), readiness.status)),
        Some(message) => Finding::new(READY, Kind::Warning, format!("it is {}: {message}", readiness.status)),
    };
    Ok([Some(ready), date.map(clock)].into_iter().flatten().collect())
}

/// Compares a date with the clock here.
fn clock(date: SystemTime) -> Finding {
    let now = SystemTime::now();
    let ahead = match date.duration_since(now) {
        Ok(ahead) => ahead.as_secs_f64(),
        Err(behind) => -behind.duration().as_secs_f64(),
    };
    // A date has whole seconds.
    let off = (ahead.abs() - 1.0).max(0.0);
    if off <= LEEWAY {
        return Finding::good(CLOCK, "the clocks here and there agree");
    }
    let direction = if ahead > 0.0 { "ahead of" } else { "behind" };
    let detail = format!("the clock there is {off:.0} s {direction} the one here");
    Finding { advice: Some(advice::CLOCK), ..Finding::new(CLOCK, Kind::Warning, detail) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_differ_by_more_than_the_leeway_are_reported() {
        let (now, minute) = (SystemTime::now(), Duration::from_secs(61));
        assert_eq!(clock(now - Duration::from_secs(3)).outcome, Kind::Good);
        assert!(clock(now - minute).detail.ends_with("60 s behind the one here"));
        assert!(clock(now + minute).detail.contains(" s ahead of the one here"));
    }
}
