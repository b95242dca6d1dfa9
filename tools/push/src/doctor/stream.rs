//! A stream of Server-Sent Events.

use std::time::Duration;

use event_stream::{Block, Parser};
use reqwest::Response;
use reqwest::header::ACCEPT;
use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::advice;
use super::finding::{Finding, Kind};
use super::headers;
use crate::connection::{Service, Trouble};

/// The name of the method.
const CHECK: &str = "Server-Sent Events";
const RESUMING: &str = "Last-Event-ID";

/// An id that is no cursor, which a service answers by a gap.
const NO_CURSOR: &str = "push-doctor";

/// Opens a stream as a browser does, waits for its first event, and comes back once with an id.
pub(super) async fn check(service: &Service, topic: &str, patience: Duration) -> Vec<Finding> {
    let began = Instant::now();
    let response = match timeout(patience, open(service, topic, None)).await {
        Ok(Ok(response)) => response,
        Ok(Err(trouble)) => return vec![Finding::of_trouble(CHECK, &trouble, advice::BUFFERING)],
        Err(_) => return vec![held_back(patience, "not even the head of the answer came")],
    };
    let head = headers::compare(response.headers());
    let first = timeout(patience, first_blocks(service, response, |block| block.id.is_some())).await;
    let stream = match first {
        Ok(Ok(_)) => Finding::good(CHECK, format!("the first event came after {:.0?}", began.elapsed())),
        Ok(Err(trouble)) => Finding::of_trouble(CHECK, &trouble, advice::BUFFERING),
        Err(_) => held_back(patience, "the stream began, and its first event did not come"),
    };
    if stream.outcome != Kind::Good {
        return vec![stream, head];
    }
    vec![stream, head, resume(service, topic, patience).await]
}

fn held_back(patience: Duration, what: &str) -> Finding {
    Finding::bad(CHECK, format!("something holds the stream back: {what} within {patience:?}"), advice::BUFFERING)
}

/// Comes with an id that is no cursor. A service to which it comes begins with a gap.
async fn resume(service: &Service, topic: &str, patience: Duration) -> Finding {
    let gap = async {
        let response = open(service, topic, Some(NO_CURSOR)).await?;
        let blocks = first_blocks(service, response, |block| block.event.as_deref() == Some("gap")).await?;
        Ok::<_, Trouble>(blocks.into_iter().next_back())
    };
    match timeout(patience, gap).await {
        Ok(Ok(Some(Block { data: Some(data), .. })))
            if serde_json::from_str(&data).is_ok_and(|gap: Value| gap["reason"] == "epoch") =>
        {
            Finding::good(RESUMING, "it comes to the service, so a client that comes back goes on where it was")
        }
        Ok(Err(trouble)) => Finding::of_trouble(RESUMING, &trouble, advice::LAST_EVENT_ID),
        // Without the header, the stream begins at `now`, where there is no gap.
        Ok(Ok(_)) | Err(_) => Finding::bad(RESUMING, "the header does not come to the service", advice::LAST_EVENT_ID),
    }
}

async fn open(service: &Service, topic: &str, id: Option<&str>) -> Result<Response, Trouble> {
    let url = service.url("/events", [("topic", topic), ("since", "now"), ("heartbeat", "1")]);
    let request = service.get(url).header(ACCEPT, "text/event-stream");
    service
        .send(match id {
            Some(id) => request.header("last-event-id", id),
            None => request,
        })
        .await
}

/// Reads up to the first block that is wanted.
async fn first_blocks(
    service: &Service,
    mut response: Response,
    is_wanted: impl Fn(&Block) -> bool,
) -> Result<Vec<Block>, Trouble> {
    let (mut parser, mut blocks) = (Parser::default(), Vec::new());
    while let Some(piece) = response.chunk().await.map_err(|error| service.unreachable(&error))? {
        parser.feed(&piece);
        while let Some(block) = parser.next_block() {
            let enough = is_wanted(&block);
            blocks.push(block);
            if enough {
                return Ok(blocks);
            }
        }
    }
    Err(Trouble::Cut(
        "the stream ended before its first event: the service is full or shutting down, or something cut it".to_owned(),
    ))
}
