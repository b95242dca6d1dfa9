//! Requests over HTTP/2 (RFC 9113), which hyper reads, many at a time.
//!
//! Every request finds the same routes as over HTTP/1.1. A session that answers one has a client of its own, whose bytes become
//! the body of that answer (`session_body`). hyper asks for more of a body only when its client takes more, so a client that reads one of its
//! answers slowly holds up that one alone.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONNECTION, HOST, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{HeaderValue, Method, Request, Response};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::ext::Protocol;
use hyper::server::conn::http2;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tracing::debug;

use super::client::Client;
use super::handover::Handover;
use super::http2_stall::{StreamExecutor, Taking};
use super::hyper_io::{Io, TrackedBody, WriteProgress};
use super::open_requests::{Open, OpenRequest};
use super::pace::Pace;
use super::requests::{Sender, finished, respond};
use super::session_body::SessionBody;
use crate::address_limit::Seat;
use crate::app::App;
use crate::cors::OpenTo;
use crate::error::ApiError;
use crate::overflow::OverflowPlace;
use crate::routes::Routes;

/// The requests that a client may have open at a time.
const STREAMS: u32 = 100;

/// The requests that a client may take back before they are dealt with, at a time, and those of its mistakes that are answered one by one.
const RESETS: usize = 20;

/// The bytes of requests' bodies that a client may send ahead, for one request and for all of them.
const WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 4 * WINDOW;

/// The bytes of one answer that hyper holds for the network.
const SEND_BUFFER: usize = 64 * 1024;

/// Serves a connection to its end. The first request has to have come whole when the client is due.
pub(super) async fn serve(mut client: Client, app: Arc<App>, routes: Routes, overflow: Option<Arc<OverflowPlace>>) {
    let first_within = client.due().saturating_duration_since(Instant::now());
    client.never_due();
    let is_overflow = overflow.is_some();
    let sender = Sender { peer: client.peer(), seat: client.seat().cloned(), overflow };
    let progress = Arc::new(WriteProgress::default());
    // No answer of hyper's own takes the place of ours here.
    let _writes_ours = WriteProgress::begin_answer(&progress);
    let open = Open::default();
    let service = hyper::service::service_fn(|request: Request<Incoming>| {
        progress.uses().note(head_bytes(&request));
        let (app, routes) = (Arc::clone(&app), routes.clone());
        let seat = sender.seat.as_ref().map(Seat::of_stream);
        let sender = Sender { seat: seat.clone(), ..sender.clone() };
        answer(request, app, routes, sender, Arc::clone(&progress), open.begin(seat))
    });
    let times = &app.config.connections;
    let connection = http2::Builder::new(StreamExecutor { limit: times.write_timeout })
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(app.config.input.max_head_bytes.as_u64()).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(RESETS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(times.heartbeat)
        .keep_alive_timeout(times.heartbeat)
        .serve_connection(TokioIo::new(Io::with_pace(client, Arc::clone(&progress))), service);
    let mut connection = pin!(connection);
    let mut drain_begun = pin!(app.admission.drain().begun());
    let mut is_closing = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    debug!(%error, "connection ended");
                }
                return;
            }
            () = drain_begun.as_mut(), if !is_closing => {}
            () = open.idle(first_within, times.idle_timeout), if !is_closing => {}
            // As everywhere, a connection beyond the limit ends with its first answer.
            () = open.begun(), if is_overflow && !is_closing => {}
            // An answer that is given may still wait for the client to take it.
            () = open.idle(times.write_timeout, times.write_timeout), if is_closing => return,
        }
        is_closing = true;
        connection.as_mut().graceful_shutdown();
    }
}

/// The bytes of a request's head, about as they were before they were compressed.
fn head_bytes(request: &Request<Incoming>) -> usize {
    let headers = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len());
    let uri = request.uri();
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    authority + uri.path_and_query().map_or(0, |path| path.as_str().len()) + headers.sum::<usize>()
}

/// Makes a request for a WebSocket (RFC 8441, section 4) one as it is over HTTP/1.1, which the routes know. Returns what the stream will
/// become.
fn take_websocket(request: &mut Request<Incoming>) -> Option<OnUpgrade> {
    let protocol = request.extensions().get::<Protocol>().map(Protocol::as_str);
    if *request.method() != Method::CONNECT || protocol != Some("websocket") {
        return None;
    }
    let upgrade = hyper::upgrade::on(&mut *request);
    *request.method_mut() = Method::GET;
    let headers = request.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    // Its answer is not sent.
    headers.insert(SEC_WEBSOCKET_KEY, HeaderValue::from_static("AAAAAAAAAAAAAAAAAAAAAA=="));
    Some(upgrade)
}

/// Answers one request.
async fn answer(
    mut request: Request<Incoming>,
    app: Arc<App>,
    routes: Routes,
    sender: Sender,
    progress: Arc<WriteProgress>,
    open: OpenRequest,
) -> io::Result<Response<AnswerBody>> {
    let websocket = take_websocket(&mut request);
    let (mut head, body) = request.into_parts();
    match (head.headers.get(HOST), head.uri.authority()) {
        // The rest of the service knows it by its old name (RFC 9113, section 8.3.1).
        (None, Some(authority)) => {
            head.headers.extend(HeaderValue::from_str(authority.as_str()).ok().map(|host| (HOST, host)));
        }
        (Some(host), Some(authority)) if !host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()) => {
            let error = ApiError::BadRequest("Host and :authority name different hosts; send one of them".to_owned());
            let response = finished(error.reply(), &app, OpenTo::NoRequest);
            return Ok(response.map(|body| AnswerBody::Whole { body, open, taking: Taking::of_stream() }));
        }
        _ => {}
    }
    let uses = Arc::clone(progress.uses());
    let request = Request::from_parts(head, TrackedBody::new(body, progress));
    let (handover, peer, is_overflow) = (Handover::default(), sender.peer, sender.overflow.is_some());
    let mut answering = respond(request, Arc::clone(&app), routes, handover.clone(), sender, Pace::default());
    let held = poll_fn(|cx| match answering.as_mut().poll(cx) {
        Poll::Ready(Ok(response)) => Poll::Ready(Err(response)),
        Poll::Pending => handover.take().map_or(Poll::Pending, |held| Poll::Ready(Ok(held))),
    });
    match held.await {
        Err(response) => Ok(response.map(|body| AnswerBody::Whole { body, open, taking: Taking::of_stream() })),
        Ok((framing, held)) => {
            let mut body = SessionBody::begin(framing, held, peer, is_overflow, &app);
            let head = poll_fn(|cx| body.poll_head(cx)).await?;
            let Some(websocket) = websocket else {
                return Ok(head.map(|()| AnswerBody::Session { body, open }));
            };
            tokio::spawn(async move {
                // An error means that the client has gone.
                if let Ok(upgraded) = websocket.await {
                    body.upgrade(upgraded, uses).await;
                }
                drop(open);
            });
            Ok(head.map(|()| AnswerBody::Empty))
        }
    }
}

pin_project! {
    /// The body of an answer.
    #[project = AnswerBodyProjection]
    enum AnswerBody {
        Whole { #[pin] body: WholeBody, open: OpenRequest, taking: Taking },
        Session { body: SessionBody, open: OpenRequest },
        /// That of a WebSocket, which goes on in another way.
        Empty,
    }
}

/// The body of a route's answer.
type WholeBody = <warp::reply::Response as BodyOf>::Body;

/// Names the body of a response.
trait BodyOf {
    type Body;
}

impl<B> BodyOf for Response<B> {
    type Body = B;
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.project() {
            AnswerBodyProjection::Whole { body, taking, .. } => {
                let frame = ready!(taking.watch(body.poll_frame(cx)));
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            AnswerBodyProjection::Empty => Poll::Ready(None),
            AnswerBodyProjection::Session { body, .. } => {
                let part = ready!(body.poll_part(cx));
                Poll::Ready(part.map(|part| part.map(Frame::data).map_err(Into::into)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole { body, .. } => body.is_end_stream(),
            Self::Session { .. } => false,
            Self::Empty => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole { body, .. } => body.size_hint(),
            Self::Session { .. } => SizeHint::default(),
            Self::Empty => SizeHint::with_exact(0),
        }
    }
}
