//! `GET /messages`: a page of history, never held.

use http::HeaderValue;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use warp::reply::Response;

use super::error::ApiError;
use super::request::Request;
use crate::app::App;
use crate::page::{self, DEFAULT_LIMIT, MAX_BYTES, MAX_LIMIT};
use shared::cursor::Position;
use shared::hub::BatchLimit;

pub(super) async fn page_of(app: &App, request: &Request) -> Result<Response, ApiError> {
    let topics = request.query.topics()?;
    let since = request.query.since()?.unwrap_or(Position::Earliest);
    let messages = request.query.number("limit", 1..=MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    let mut subscriber = app.subscribe(&topics, since).await?;
    let batch = app.read(&mut subscriber, &page::JSON, BatchLimit { messages, bytes: MAX_BYTES }).await?;
    let page = page::encode(&batch, subscriber.cursor());

    let mut response = Response::new(page.into());
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
