//! Answers of JSON for warp.

use http::StatusCode;
use warp::Reply;
use warp::reply::Response;

use crate::error::ApiError;

/// Turns a handler's outcome into the answer.
pub(super) fn answer(outcome: Result<Response, ApiError>) -> Response {
    outcome.unwrap_or_else(|error| error.reply().into())
}

/// Makes an answer of JSON.
pub(super) fn json(status: StatusCode, body: impl serde::Serialize) -> Response {
    warp::reply::with_status(warp::reply::json(&body), status).into_response()
}
