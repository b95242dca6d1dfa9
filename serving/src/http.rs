//! Serving HTTP/1.1: what is equal in all three services.
//!
//! A request for the service's own method is read here ([`DirectRoute`]), every other by hyper and answered by warp's
//! routes. To hold, stream or upgrade, a handler takes the connection over ([`Request::hand_over`]) and writes to the
//! socket itself, so that a waiting client costs no buffers. A long poll gives the connection back.
//!
//! - `server`: listening, accepting, the end
//! - `connection`: one connection, between requests and sessions
//! - `direct`: the routes of a service's own method, and the short way to them
//! - `handover`: how a handler gets the connection
//! - `socket`: reading and writing, with the write time-out; `watch`: waiting
//! - `admission`: who is let in: one place for all routes
//! - `request`: a request as handlers see it; how a route is declared
//! - `error`: every answer that is not what was asked for
//! - `publish`, `history`, `health`, `pages`: the routes that all services have

mod admission;
mod connection;
mod direct;
mod error;
mod handover;
mod health;
mod history;
mod pages;
mod publish;
mod request;
mod server;
mod socket;
mod watch;

pub use direct::DirectRoute;
pub use error::{ApiError, RETRY_AFTER_SECONDS};
pub use handover::{Answer, Ended, Responder, TakeOver};
pub use pages::Asset;
pub use request::{Query, Request, Upgrade, route};
pub use server::{listen, serve, stop_signal};
pub use socket::{Socket, Unread};
pub use watch::Event;

use std::sync::Arc;

use warp::filters::BoxedFilter;
use warp::reply::Response;
use warp::{Filter, Rejection};

use crate::app::App;

/// Who answers what in a service.
#[derive(Clone)]
pub struct Routes {
    direct: Arc<[DirectRoute]>,
    all: BoxedFilter<(Response,)>,
}

impl Routes {
    /// The routes of the service's own method and those that all services have: `/messages`, `/livez`, `/readyz`, the
    /// pages and their assets.
    pub fn new(app: &Arc<App>, direct: Vec<DirectRoute>, assets: &'static [Asset]) -> Self {
        let common =
            publish::routes(app).or(health::routes(app)).unify().or(pages::routes(app, assets)).unify().boxed();
        // The first route that takes a request has it.
        let all = direct.iter().rev().fold(common, |all, route| route.filter().or(all).unify().boxed());
        Self { direct: direct.into(), all: all.recover(recover).unify().boxed() }
    }
}

impl std::fmt::Debug for Routes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Routes").field("direct", &self.direct).finish_non_exhaustive()
    }
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
async fn recover(rejection: Rejection) -> Result<Response, std::convert::Infallible> {
    Ok(match rejection.find::<request::Refused>() {
        Some(request::Refused(error)) => error.response(),
        None => ApiError::NotFound.response(),
    })
}
