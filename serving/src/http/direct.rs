//! The routes of a service's own method, and the short way to them.
//!
//! Their clients come back again and again, a long poll for each message. A head that has arrived whole and is for one of
//! these routes is therefore read here and answered at once. Everything else is left to hyper and warp, which know the
//! same routes: whatever is unusual about a request has one place where it is dealt with.

use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use bytes::{Buf, Bytes};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use http_body_util::BodyExt;
use httparse::{EMPTY_HEADER, Status};
use warp::Filter;
use warp::filters::BoxedFilter;

use super::admission::{Room, admit};
use super::connection::Next;
use super::error::ApiError;
use super::handover::{Answer, Ended, Handover, Responder};
use super::request::{Context, Query, Request, Upgrade, is_websocket_upgrade, route};
use super::socket::{Socket, Unread};
use super::watch::Event;
use crate::app::App;

/// A head with more headers is left to hyper.
const MAX_HEADERS: usize = 32;

type Answered = Result<Answer, ApiError>;
type Handler = Arc<dyn Fn(Request) -> BoxFuture<'static, Answered> + Send + Sync>;

/// A route that holds, streams or upgrades: GET on one path.
#[derive(Clone)]
pub struct DirectRoute {
    path: &'static str,
    upgrade: Upgrade,
    handler: Handler,
}

impl DirectRoute {
    /// Who asks for `path` by GET is answered by `handler`.
    pub fn new<F, Fut>(path: &'static str, upgrade: Upgrade, handler: F) -> Self
    where
        F: Fn(Request) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Answered> + Send + 'static,
    {
        Self { path, upgrade, handler: Arc::new(move |request| handler(request).boxed()) }
    }

    /// The same route for warp.
    pub(super) fn filter(&self) -> BoxedFilter<(warp::reply::Response,)> {
        let handler = Arc::clone(&self.handler);
        let respond = move |request: Request, handover: Handover| {
            let answered = if request.has_body() { Err(ApiError::UnexpectedBody) } else { Ok(handler(request)) };
            async move {
                let answered = match answered {
                    Ok(answered) => answered.await,
                    Err(error) => Err(error),
                };
                match answered {
                    Ok(Answer::Response(response)) => response,
                    Ok(Answer::Session(session)) => match handover.take_over(session).await {},
                    Err(error) => error.response(),
                }
            }
        };
        route(self.path, "GET", self.upgrade).and(warp::ext::get()).then(respond).boxed()
    }

    fn takes(&self, path: &str, headers: &HeaderMap) -> bool {
        let upgrades = is_websocket_upgrade(headers);
        path == self.path && upgrades != (self.upgrade == Upgrade::Refused)
    }
}

/// A request for a direct route.
pub(super) struct DirectRequest {
    handler: Handler,
    target: PathAndQuery,
    headers: HeaderMap,
    version: Version,
}

impl DirectRequest {
    /// Takes the request that the socket has read, if it is one for a direct route and nothing about it is unusual.
    pub(super) fn take(socket: &mut Socket, routes: &[DirectRoute], max_head: usize) -> Option<Self> {
        let mut unread = socket.take_unread().freeze();
        let parsed = Self::parse(&unread, routes, max_head);
        if let Some((_, length)) = &parsed {
            unread.advance(*length);
        }
        socket.unread(unread);
        parsed.map(|(request, _)| request)
    }

    /// The request at the beginning of `bytes`, and where its head ends.
    fn parse(bytes: &Bytes, routes: &[DirectRoute], max_head: usize) -> Option<(Self, usize)> {
        let mut fields = [EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Request::new(&mut fields);
        let Ok(Status::Complete(length)) = head.parse(bytes) else { return None };
        let target = head.path.filter(|target| target.starts_with('/'))?;
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        if head.method != Some("GET") || length > max_head || !routes.iter().any(|route| route.path == path) {
            return None;
        }
        let mut headers = HeaderMap::with_capacity(head.headers.len());
        for field in head.headers.iter() {
            let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
            headers.append(name, HeaderValue::from_maybe_shared(bytes.slice_ref(field.value)).ok()?);
        }
        let has_body = [CONTENT_LENGTH, TRANSFER_ENCODING, EXPECT].iter().any(|name| headers.contains_key(name));
        let route = routes.iter().find(|route| route.takes(path, &headers)).filter(|_| !has_body)?;
        let version = if head.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
        let handler = Arc::clone(&route.handler);
        let target = PathAndQuery::from_maybe_shared(bytes.slice_ref(target.as_bytes())).ok()?;
        Some((Self { handler, target, headers, version }, length))
    }

    /// Lets it in and has it answered, at once or by the session that takes the connection over.
    pub(super) async fn answer(self, mut socket: Socket, app: &App, room: Room) -> Next {
        let Self { handler, target, headers, version } = self;
        let (shared_headers, refusal) = admit(app, &Method::GET, target.path(), &headers, room);
        let query = Query::new(target.query().unwrap_or_default().to_owned());
        let context = Context { room, version, shared_headers };
        let request = Request::new(Method::GET, headers, query, context);
        let mut responder = request.responder();
        let response = match refusal {
            Some(refusal) => refusal,
            None => match await_answer(handler(request), &mut socket).await {
                None => return Next::Ended(Ended::Gone),
                Some(Ok(Answer::Session(session))) => return Next::Session(session.0, socket),
                Some(Ok(Answer::Response(response))) => response,
                Some(Err(error)) => error.response(),
            },
        };
        if app.drain.is_draining() || room == Room::None {
            responder.close();
        }
        Next::Ended(respond(socket, responder, response).await)
    }
}

/// Waits for the handler, as long as the client does.
async fn await_answer(mut answered: BoxFuture<'static, Answered>, socket: &mut Socket) -> Option<Answered> {
    // Who has sent a whole request and closed its side still gets what can be answered at once.
    if let Poll::Ready(answered) = poll_fn(|cx| Poll::Ready(answered.as_mut().poll(cx))).await {
        return Some(answered);
    }
    loop {
        let mut answer = None;
        let event = socket.next_or(|cx| answered.as_mut().poll(cx).map(|answered| answer = Some(answered))).await;
        match event {
            Event::News => return answer,
            Event::Readable if socket.take_in(Unread::Keep).is_err() => return None,
            Event::Due => socket.never_due(),
            Event::Readable | Event::Draining | Event::Released => {}
        }
    }
}

/// Writes a whole answer.
pub(super) async fn respond(socket: Socket, responder: Responder, response: warp::reply::Response) -> Ended {
    let (head, body) = response.into_parts();
    // The body is in memory already.
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => {
            tracing::debug!(%error, "answer lost");
            return Ended::Gone;
        }
    };
    let headers = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let answer = responder.whole(head.status, headers, &body);
    socket.answer(&responder, &answer).await
}

impl fmt::Debug for DirectRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, upgrade, .. } = self;
        f.debug_struct("DirectRoute").field("path", path).field("upgrade", upgrade).finish_non_exhaustive()
    }
}
