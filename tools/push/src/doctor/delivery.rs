//! A message that is published, and comes by each method.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::advice;
use super::finding::{Finding, Kind};
use crate::connection::{Method, Service, Trouble};
use crate::subscribe::{Received, Session};

const PUBLISHING: &str = "publishing";

/// Follows by the methods that get through, publishes, and waits for the message.
pub(super) async fn check(service: &Service, topic: &str, methods: &[Method], patience: Duration) -> Vec<Finding> {
    let topics = [topic.to_owned()];
    let mut sessions = Vec::new();
    let mut findings = Vec::new();
    for method in methods {
        match Session::open(*method, service, &topics, "now").await {
            Ok((session, _)) => sessions.push((*method, session)),
            Err(trouble) => findings.push(Finding::of_trouble(name(*method), &trouble, advice::BUFFERING)),
        }
    }
    let began = Instant::now();
    let id = match timeout(patience, publish_twice(service, topic)).await {
        Ok(Ok((id, true))) => {
            findings.insert(0, Finding::good(PUBLISHING, format!("taken, and not again under the same key: {id}")));
            id
        }
        Ok(Ok((id, false))) => {
            let detail =
                "the header Idempotency-Key does not come to the service: a repeat was taken as another message";
            findings.insert(0, Finding::bad(PUBLISHING, detail, advice::IDEMPOTENCY_KEY));
            id
        }
        Ok(Err(trouble)) => return vec![Finding::of_trouble(PUBLISHING, &trouble, advice::TOKEN)],
        Err(_) => {
            return vec![Finding::new(PUBLISHING, Kind::Bad, format!("not confirmed within {patience:?}"))];
        }
    };
    for (method, mut session) in sessions {
        let came =
            timeout((began + patience).saturating_duration_since(Instant::now()), until(&mut session, &id)).await;
        findings.push(match came {
            Ok(Ok(())) => Finding::good(name(method), "it came by this method"),
            Ok(Err(trouble)) => Finding::of_trouble(name(method), &trouble, advice::BUFFERING),
            Err(_) => Finding::bad(name(method), format!("it did not come within {patience:?}"), advice::BUFFERING),
        });
    }
    findings
}

fn name(method: Method) -> &'static str {
    match method {
        Method::Ws => "delivery by WebSocket",
        Method::Sse => "delivery by Server-Sent Events",
        Method::Poll => "delivery by long polling",
    }
}

/// Publishes, and repeats it under the same key. Returns the id, and whether the repeat was recognised.
async fn publish_twice(service: &Service, topic: &str) -> Result<(String, bool), Trouble> {
    let key = format!("push-doctor-{:032x}", fastrand::u128(..));
    let publish = async || {
        let request = service.post(service.url("/messages", [("topic", topic)])).header("idempotency-key", &key);
        service.json::<Value>(request.header(CONTENT_TYPE, "text/plain").body("push doctor")).await
    };
    let (first, second) = (publish().await?, publish().await?);
    let id = first["id"].as_str().unwrap_or_default().to_owned();
    Ok((id, second["repeated"] == true))
}

/// Waits for a message.
async fn until(session: &mut Session, id: &str) -> Result<(), Trouble> {
    loop {
        if let Received::Message(message) = session.next().await?
            && message.id == id
        {
            return Ok(());
        }
    }
}
