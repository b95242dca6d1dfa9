//! A long poll.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::advice;
use super::finding::{Finding, Kind};
use crate::connection::{Service, Trouble};
use crate::message::Page;

const CHECK: &str = "long polling";

/// The time by which an answer may be late.
const LATE: Duration = Duration::from_secs(5);

/// Polls, and has the service hold the request.
pub(super) async fn check(service: &Service, topic: &str, hold: Duration) -> Finding {
    let seconds = hold.as_secs().to_string();
    let url = service.url("/poll", [("topic", topic), ("since", "now"), ("wait", &seconds)]);
    let began = Instant::now();
    let answer = timeout(hold + LATE, service.json::<Page>(service.get(url))).await;
    let took = began.elapsed();
    match answer {
        Ok(Ok(page)) if !page.messages.is_empty() => Finding::good(CHECK, format!("a message came after {took:.1?}")),
        // A timer may be early by less than this.
        Ok(Ok(_)) if took + Duration::from_millis(100) >= hold => {
            Finding::good(CHECK, format!("held for {took:.1?}, then answered"))
        }
        Ok(Ok(_)) => Finding::new(
            CHECK,
            Kind::Warning,
            format!("answered without a message after {took:.1?}, not held for {hold:?}"),
        ),
        Ok(Err(trouble @ (Trouble::Cut(_) | Trouble::Busy { error: None, .. }))) => {
            Finding::bad(CHECK, format!("cut after {took:.1?} of {hold:?}: {trouble}"), advice::TIME_OUT)
        }
        Ok(Err(trouble)) => Finding::of_trouble(CHECK, &trouble, advice::TIME_OUT),
        Err(_) => {
            let detail = format!("no answer came within {:?}: something holds it back", hold + LATE);
            Finding::bad(CHECK, detail, advice::BUFFERING)
        }
    }
}
