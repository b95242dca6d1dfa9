//! The routes of a service's own method: they hold, stream or upgrade.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::HeaderMap;
use warp::Filter;

use super::route::{Route, Upgrade};
use crate::connection::{Answer, Handover};
use crate::error::ApiError;
use crate::headers::is_websocket_upgrade;
use crate::request::Request;

/// The outcome of a handler.
pub(crate) type Answered = Result<Answer, ApiError>;

type Handler = Arc<dyn Fn(Request) -> BoxFuture<'static, Answered> + Send + Sync>;

/// A route of a service's own method: GET on one path, and HEAD, whose answer is never held.
#[derive(Clone)]
pub struct MethodRoute {
    path: &'static str,
    upgrade: Upgrade,
    handler: Handler,
    answers_when_full: fn(&HeaderMap) -> bool,
}

impl MethodRoute {
    /// Has `GET path` and `HEAD path` answered by `handler`. To HEAD, it gives the head of the answer to GET as a whole reply.
    pub fn new<F, Fut>(path: &'static str, upgrade: Upgrade, handler: F) -> Self
    where
        F: Fn(Request) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Answer, ApiError>> + Send + 'static,
    {
        let handler = Arc::new(move |request| handler(request).boxed());
        Self { path, upgrade, handler, answers_when_full: |_| false }
    }

    /// Has the handler answer the requests with these headers even when the service is full
    /// ([`Request::finds_no_room`]), besides WebSocket handshakes: for clients that a 503 would drive away for good.
    #[must_use]
    pub fn answers_when_full(self, which: fn(&HeaderMap) -> bool) -> Self {
        Self { answers_when_full: which, ..self }
    }

    pub(crate) fn path(&self) -> &'static str {
        self.path
    }

    /// Returns whether this route, and no other at the same path, is for a request with these headers.
    pub(crate) fn takes(&self, headers: &HeaderMap) -> bool {
        is_websocket_upgrade(headers) != (self.upgrade == Upgrade::Refused)
    }

    /// Returns whether a request to this path with these headers is answered by the handler even when the service is full.
    pub(crate) fn takes_when_full(&self, headers: &HeaderMap) -> bool {
        self.takes(headers) && (self.answers_when_full)(headers)
    }

    pub(crate) fn answer(&self, request: Request) -> BoxFuture<'static, Answered> {
        (self.handler)(request)
    }

    /// The same route for warp, behind hyper.
    pub(super) fn route(&self) -> Route {
        let route_of_method = self.clone();
        let respond = move |request: Request, handover: Handover| {
            let framing = request.framing();
            let answered = match request.has_body() {
                true => std::future::ready(Err(ApiError::UnexpectedBody)).boxed(),
                false => route_of_method.answer(request),
            };
            async move {
                match answered.await {
                    Ok(Answer::Whole(reply)) => (*reply).into(),
                    Ok(Answer::Held(held)) => match handover.leave(framing, held).await {},
                    Err(error) => error.reply().into(),
                }
            }
        };
        Route::new(self.path, "GET, HEAD", self.upgrade, |requests| {
            requests.and(warp::ext::get()).then(respond).boxed()
        })
    }
}

impl fmt::Debug for MethodRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, upgrade, .. } = self;
        f.debug_struct("MethodRoute").field("path", path).field("upgrade", upgrade).finish_non_exhaustive()
    }
}
