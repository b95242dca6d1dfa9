//! A WebSocket.

use std::time::Duration;

use reqwest::StatusCode;
use tokio::time::{Instant, timeout};

use super::advice;
use super::finding::Finding;
use crate::connection::{Method, Service, Trouble};
use crate::subscribe::Session;

const CHECK: &str = "WebSocket";

/// Opens a feed, and waits for its welcome.
pub(super) async fn check(service: &Service, topic: &str, patience: Duration) -> Finding {
    let began = Instant::now();
    let topics = [topic.to_owned()];
    match timeout(patience, Session::open(Method::Ws, service, &topics, "now")).await {
        Ok(Ok((session, _))) => {
            let took = began.elapsed();
            session.close().await;
            Finding::good(CHECK, format!("opened and welcomed after {took:.0?}"))
        }
        Ok(Err(Trouble::Refused { status: StatusCode::UPGRADE_REQUIRED, error: Some(_), .. })) => {
            Finding::bad(CHECK, "the request came to the service without its header Upgrade", advice::UPGRADE)
        }
        Ok(Err(trouble)) => Finding::of_trouble(CHECK, &trouble, advice::UPGRADE),
        Err(_) => Finding::bad(CHECK, format!("no welcome came within {patience:?}"), advice::FRAMES),
    }
}
