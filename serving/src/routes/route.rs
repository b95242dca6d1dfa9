//! The declaration of a route.

use std::fmt;
use std::future::ready;

use http::{HeaderMap, Method};
use warp::filters::BoxedFilter;
use warp::path::FullPath;
use warp::reply::Response;
use warp::{Filter, Rejection};

use crate::error::ApiError;
use crate::headers::is_websocket_upgrade;
use crate::query::Query;
use crate::request::{Context, Request};

/// The relation of a route to WebSockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upgrade {
    /// The route does not speak WebSocket.
    Refused,
    /// The route speaks nothing but WebSocket.
    Required,
    /// The route speaks WebSocket; requests without an upgrade are for another route at the same path.
    Chosen,
}

/// The rejection of a request that a route knows and does not answer.
#[derive(Debug)]
pub(super) struct Refused(pub(super) ApiError);

impl warp::reject::Reject for Refused {}

/// A path and the methods that it takes, as `Allow` has them: `GET, HEAD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Declared {
    pub(super) path: &'static str,
    pub(super) methods: &'static str,
}

/// A route, and what answers it.
#[derive(Clone)]
pub(super) struct Route {
    pub(super) declared: Declared,
    pub(super) filter: BoxedFilter<(Response,)>,
}

impl Route {
    /// Has requests for `path` with one of the methods answered by what `answer` makes of them; requests for it in another way
    /// are answered with how to ask.
    pub(super) fn new(
        path: &'static str,
        methods: &'static str,
        upgrade: Upgrade,
        answer: impl FnOnce(BoxedFilter<(Request,)>) -> BoxedFilter<(Response,)>,
    ) -> Self {
        Self { declared: Declared { path, methods }, filter: answer(requests(path, methods, upgrade)) }
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route").field("declared", &self.declared).finish_non_exhaustive()
    }
}

/// The requests for `path` with one of the methods in `allow`.
fn requests(path: &'static str, allow: &'static str, upgrade: Upgrade) -> BoxedFilter<(Request,)> {
    let is_here =
        move |full: FullPath| ready(if full.as_str() == path { Ok(()) } else { Err(warp::reject::not_found()) });
    let check = move |method: Method, headers: HeaderMap| {
        // A WebSocket begins with GET (RFC 6455, section 4.1), and any other request to upgrade may be ignored.
        let upgrades = method != Method::HEAD && is_websocket_upgrade(&headers);
        ready(if upgrade == Upgrade::Chosen && !upgrades {
            Err(warp::reject::not_found())
        } else if !allow.split(", ").any(|allowed| allowed == method.as_str()) {
            refuse(ApiError::MethodNotAllowed { allow })
        } else if upgrades && upgrade == Upgrade::Refused {
            refuse(ApiError::UnexpectedUpgrade)
        } else if !upgrades && upgrade == Upgrade::Required {
            refuse(ApiError::UpgradeRequired)
        } else {
            Ok((method, headers))
        })
    };
    let raw_query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::path::full()
        .and_then(is_here)
        .untuple_one()
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .and_then(check)
        .and(raw_query)
        .and(warp::ext::get::<Context>())
        .map(|(method, headers), query: String, context| Request::new(method, headers, Query::new(query), context))
        .boxed()
}

fn refuse<T>(error: ApiError) -> Result<T, Rejection> {
    Err(warp::reject::custom(Refused(error)))
}
