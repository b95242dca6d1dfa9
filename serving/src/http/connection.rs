//! One connection: hyper reads its requests, sessions take it over, long polls give it back.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::Version;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tracing::debug;
use warp::filters::BoxedFilter;

use super::Routes;
use super::admission::{Room, SharedHeaders, admit};
use super::direct::{self, DirectRequest};
use super::error::ApiError;
use super::handover::{Ended, Handover, Responder, Session};
use super::request::Context;
use super::socket::{Socket, Unread};
use super::watch::Event;
use crate::app::App;

/// How long a client may take to close its side after the last answer.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// Serves one connection to its end.
pub(super) async fn serve(mut socket: Socket, app: Arc<App>, routes: Routes, room: Room) {
    let late = app.drain.is_draining();
    loop {
        // Boxed, so that the task of a long session does not keep the room that requests need.
        let next = match await_request(&mut socket, &app, &routes, late).await {
            Begun::Direct(request) => Box::pin(request.answer(socket, &app, room)).await,
            Begun::Other => Box::pin(serve_requests(socket, &app, &routes, room)).await,
            Begun::Close => Next::Ended(Ended::Close(socket)),
            Begun::Gone => return,
        };
        let ended = match next {
            Next::Session(session, socket) => session(socket).await,
            Next::Ended(ended) => ended,
        };
        match ended {
            Ended::KeepAlive(given_back) => socket = given_back,
            Ended::Close(socket) => return Box::pin(socket.close(CLOSE_PATIENCE)).await,
            Ended::Gone => return,
        }
    }
}

enum Begun {
    Direct(DirectRequest),
    Other,
    /// Nothing was asked for, and the service is shutting down.
    Close,
    /// Nothing was asked for within `--read-timeout`, or the client has gone.
    Gone,
}

/// Waits for the beginning of a request. `late` is a client who came when the service was shutting down already.
async fn await_request(socket: &mut Socket, app: &App, routes: &Routes, late: bool) -> Begun {
    let max_head = app.config.input.max_head_bytes.as_u64() as usize;
    if socket.has_unread() {
        let request = DirectRequest::take(socket, &routes.direct, max_head);
        return request.map_or(Begun::Other, Begun::Direct);
    }
    socket.set_due(Instant::now() + app.config.connections.read_timeout);
    loop {
        let event = socket.next_or(|_| Poll::Pending).await;
        // Whatever it is: a request that has come by now is served.
        let gone = socket.take_in(Unread::Keep).is_err();
        if socket.has_unread() {
            let request = DirectRequest::take(socket, &routes.direct, max_head);
            return request.map_or(Begun::Other, Begun::Direct);
        }
        match event {
            _ if gone => return Begun::Gone,
            Event::Due => return Begun::Gone,
            Event::Draining | Event::Released if !late => return Begun::Close,
            _ => {}
        }
    }
}

pub(super) enum Next {
    Session(Session, Socket),
    Ended(Ended),
}

/// Has hyper serve requests, until one is taken over or there are no more.
async fn serve_requests(socket: Socket, app: &Arc<App>, routes: &Routes, room: Room) -> Next {
    let handover = Handover::default();
    let io = TokioIo::new(Watched { socket, handover: handover.clone() });
    let service = hyper::service::service_fn(|request| {
        respond(request, Arc::clone(app), routes.all.clone(), Handover::clone(&handover), room)
    });
    let config = &app.config;
    let mut draining = app.drain.is_draining();
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Who has sent a whole request and closed its side still gets the answer.
        .half_close(true)
        .header_read_timeout(config.connections.read_timeout)
        .max_header_size(config.input.max_head_bytes.as_u64() as usize)
        .keep_alive(!draining && room == Room::Taken)
        .serve_connection(io, service);

    let mut begun = pin!(app.drain.begun());
    let ended = poll_fn(|cx| {
        let ended = connection.poll_without_shutdown(cx);
        if let Some(session) = handover.ready_session() {
            return Poll::Ready(Ok(Some(session)));
        }
        if ended.is_pending() && !draining && begun.as_mut().poll(cx).is_ready() {
            draining = true;
            Pin::new(&mut connection).graceful_shutdown();
            cx.waker().wake_by_ref();
        }
        ended.map_ok(|()| None)
    })
    .await;

    let parts = connection.into_parts();
    let mut socket = parts.io.into_inner().socket;
    socket.take_back();
    let unread = parts.read_buf;
    match ended {
        Ok(Some(session)) => {
            socket.unread(unread);
            Next::Session(session, socket)
        }
        Ok(None) => Next::Ended(Ended::Close(socket)),
        Err(error) => match answer_to_bad_head(&error, app, unread.len()) {
            Some(answer) => {
                debug!(%error, "bad request");
                let responder = Responder::new(false, Version::HTTP_11, SharedHeaders::default());
                Next::Ended(direct::respond(socket, responder, answer.response()).await)
            }
            None => {
                debug!(%error, "connection ended");
                Next::Ended(Ended::Gone)
            }
        },
    }
}

/// Answers one request by the service's routes, once it is let in.
fn respond(
    request: http::Request<Incoming>,
    app: Arc<App>,
    routes: BoxedFilter<(warp::reply::Response,)>,
    handover: Handover,
    room: Room,
) -> BoxFuture<'static, Result<warp::reply::Response, Infallible>> {
    async move {
        let (mut head, body) = request.into_parts();
        let (shared_headers, refusal) = admit(&app, &head.method, head.uri.path(), &head.headers, room);
        let mut response = match refusal {
            Some(response) => response,
            // Of CONNECT; warp takes for granted that there is a path.
            None if head.uri.path().is_empty() => ApiError::NotFound.response(),
            None => {
                let shared_headers = shared_headers.clone();
                head.extensions.insert(Context { room, version: head.version, shared_headers });
                head.extensions.insert(handover);
                let request = http::Request::from_parts(head, body);
                tower_service::Service::call(&mut warp::service(routes), request).await?
            }
        };
        shared_headers.each(|name, value| drop(response.headers_mut().insert(name, value)));
        Ok(response)
    }
    .boxed()
}

/// What to tell a client whose request never became one, of which `unread` bytes had come. `None` if there is nobody to
/// tell, or nothing was asked.
fn answer_to_bad_head(error: &hyper::Error, app: &App, unread: usize) -> Option<ApiError> {
    let limit = app.config.input.max_head_bytes.as_u64() as usize;
    if error.is_parse_too_large() && unread >= limit {
        Some(ApiError::HeadTooLarge { limit })
    } else if error.is_parse_too_large() {
        // hyper's word for two more mistakes.
        Some(ApiError::BadRequest("more than 100 headers, or a length that no body has".to_owned()))
    } else if error.is_parse() {
        Some(ApiError::BadRequest(error.to_string()))
    } else if error.is_timeout() && unread > 0 {
        Some(ApiError::TooSlow { part: "head" })
    } else {
        None
    }
}

/// Watches what hyper writes: whether it has to wait, and whether it answers a bad head by itself, without a body. That
/// answer is dropped, for ours to take its place.
struct Watched {
    socket: Socket,
    handover: Handover,
}

impl Watched {
    fn watch(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.handover.set_write_pending(written.is_pending());
        written
    }
}

/// None of our answers with such a status is without a body.
fn is_bare_error(answer: &[u8]) -> bool {
    const NO_BODY: &[u8] = b"content-length: 0\r\n";
    (answer.starts_with(b"HTTP/1.1 4") || answer.starts_with(b"HTTP/1.0 4"))
        && answer.windows(NO_BODY.len()).any(|window| window == NO_BODY)
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if is_bare_error(buf) {
            return Poll::Ready(Ok(buf.len()));
        }
        let written = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.watch(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if bufs.first().is_some_and(|head| is_bare_error(head)) {
            return Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()));
        }
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.watch(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
