//! Answers of JSON.

use bytes::Bytes;
use http::StatusCode;
use warp::reply::Response;

use crate::error::ApiError;
use crate::reply::{Body, Reply};

/// Turns a handler's outcome into the answer for warp.
pub(super) fn answer(outcome: Result<Reply, ApiError>) -> Response {
    outcome.unwrap_or_else(|error| error.reply()).into()
}

/// Makes an answer of JSON. `body` has a form in JSON.
pub(crate) fn json(status: StatusCode, body: impl serde::Serialize) -> Reply {
    let body = serde_json::to_vec(&body).expect("a struct of strings and numbers has a form in JSON");
    Reply::json(status, Body::from_iter([Bytes::from(body)]))
}
