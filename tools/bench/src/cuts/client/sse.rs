//! A connection by Server-Sent Events.

use anyhow::{Context, ensure};
use event_stream::{Block, Parser};
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::header::{ACCEPT, CONTENT_LENGTH, HeaderValue};
use tokio::time::timeout;

use super::endpoint::Endpoint;
use super::notes::Notes;
use crate::http::Connection;

pub(super) async fn session(endpoint: &Endpoint, notes: &mut Notes, began: u64) -> anyhow::Result<()> {
    let mut connection = Connection::open(endpoint.address, endpoint.idle).await?;
    let mut request = endpoint.request(notes)?;
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
    let response = connection.send(request, endpoint.idle).await?;
    ensure!(response.status() == StatusCode::OK, "answered {}", response.status());
    // A service that turns an EventSource away for now answers with a stream that has an end.
    ensure!(!response.headers().contains_key(CONTENT_LENGTH), "turned away");
    notes.joined(began);
    let mut body = response.into_body();
    let mut parser = Parser::default();
    // Comments end the wait too.
    while let Some(frame) = timeout(endpoint.idle, body.frame()).await.context("no byte in time")? {
        let Ok(data) = frame?.into_data() else { continue };
        parser.feed(&data);
        while let Some(Block { id, event, data, .. }) = parser.next_block() {
            match (event.as_deref(), data) {
                (Some("expired"), _) => notes.renewed(),
                (Some("gap"), Some(data)) => notes.gap(serde_json::from_str(&data)?),
                (_, Some(data)) => notes.message(&data),
                (_, None) => {}
            }
            if let Some(id) = id {
                notes.reached(&id);
            }
        }
    }
    Ok(())
}
