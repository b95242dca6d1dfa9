//! Serving HTTP/1.1: what is equal in all three services.
//!
//! A connection is read by hyper and a request answered by warp's routes. A request that is to be held, streamed or
//! upgraded leaves them: its handler takes the connection over ([`Request::hand_over`]) and writes to the socket
//! itself, so that a waiting client costs no buffers of the HTTP library. A long poll gives the connection back.
//!
//! - `server`: listening, accepting, the end
//! - `connection`: one connection, between hyper and sessions
//! - `handover`: how a handler gets the connection
//! - `socket`: reading and writing, with the write time-out
//! - `admission`: who is let in: one place for all routes
//! - `request`: a request as handlers see it; how a route is declared
//! - `error`: every answer that is not what was asked for
//! - `publish`, `history`, `health`, `pages`: the routes that all services have

mod admission;
mod connection;
mod error;
mod handover;
mod health;
mod history;
mod pages;
mod publish;
mod request;
mod server;
mod socket;

pub use error::{ApiError, RETRY_AFTER_SECONDS};
pub use handover::{Ended, Responder};
pub use pages::Asset;
pub use request::{Query, Request, Upgrade, route};
pub use server::{listen, serve, stop_signal};
pub use socket::{Socket, Unread};

use std::sync::Arc;

use warp::filters::BoxedFilter;
use warp::reply::Response;
use warp::{Filter, Rejection};

use crate::app::App;

/// The routes that all services have: `/messages`, `/livez`, `/readyz`, the pages and their assets.
pub fn common_routes(app: &Arc<App>, assets: &'static [Asset]) -> BoxedFilter<(Response,)> {
    publish::routes(app).or(health::routes(app)).unify().or(pages::routes(app, assets)).unify().boxed()
}

/// Turns a handler's result into the answer.
pub fn answer(result: Result<Response, ApiError>) -> Response {
    result.unwrap_or_else(|error| error.response())
}

/// A response of JSON.
pub fn json(status: http::StatusCode, body: impl serde::Serialize) -> Response {
    use warp::Reply;
    warp::reply::with_status(warp::reply::json(&body), status).into_response()
}

/// The answer where no route has one.
pub(crate) async fn recover(rejection: Rejection) -> Result<Response, std::convert::Infallible> {
    Ok(match rejection.find::<request::Refused>() {
        Some(request::Refused(error)) => error.response(),
        None => ApiError::NotFound.response(),
    })
}
