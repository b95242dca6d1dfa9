//! Requests that hyper reads, and how a connection leaves hyper.
//!
//! hyper serves the requests of a connection until one of them is answered by a session, which then gets the connection
//! back from hyper, or until there are no more.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::CONNECTION;
use http::{Method, Version};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tracing::debug;
use warp::reply::Response;

use super::client::Client;
use super::handover::{Handover, Held};
use super::hyper_io::{Io, TrackedAnswer, TrackedBody, WriteProgress};
use super::pace::Pace;
use super::peer::Peer;
use super::response_head::Framing;
use super::rules;
use crate::address_limit::Seat;
use crate::app::App;
use crate::cors::OpenTo;
use crate::error::ApiError;
use crate::overflow::OverflowPlace;
use crate::reply::ErrorCode;
use crate::request::Context;
use crate::routes::Routes;

/// The way in which a connection left hyper.
pub(super) enum Left {
    /// A session answers the last request.
    Held(Framing, Held),
    /// The bytes were no valid request, and the client is to be answered so.
    BadRequest(ApiError),
    /// Everything is written, and the connection is kept open for a further request, of which nothing has been read.
    Idle,
    /// Everything is written, and no further request is served.
    Finished,
    /// There is nobody to write to.
    Gone,
}

/// The sender of the requests of a connection.
#[derive(Clone)]
pub(super) struct Sender {
    pub(super) peer: Peer,
    pub(super) overflow: Option<Arc<OverflowPlace>>,
    pub(super) seat: Option<Arc<Seat>>,
}

/// Lets hyper serve requests, until one is held or there are no more for now. hyper keeps its buffers, and has one time-out
/// for the pause before a request and for the request itself, so an idle connection leaves it.
pub(super) async fn serve_requests(
    client: Client,
    app: Arc<App>,
    routes: Routes,
    overflow: Option<Arc<OverflowPlace>>,
) -> (Client, Left) {
    let (peer, seat) = (client.peer(), client.seat().cloned());
    let is_overflow = overflow.is_some();
    let sender = Sender { peer, overflow, seat };
    let handover = Handover::default();
    let progress = Arc::new(WriteProgress::default());
    let io = TokioIo::new(Io::new(client, Arc::clone(&progress)));
    let pace = Pace::default();
    let service = hyper::service::service_fn(|request| {
        let answer = WriteProgress::begin_answer(&progress);
        let request = request.map(|body| TrackedBody::new(body, Arc::clone(&progress)));
        let response =
            respond(request, Arc::clone(&app), routes.clone(), handover.clone(), sender.clone(), pace.clone());
        response.map(|outcome| outcome.map(|response| response.map(|body| TrackedAnswer::new(body, answer))))
    });
    let mut keeps_alive = app.admission.keeps_alive(is_overflow);
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // A client that has sent a whole request and closed its side still gets the answer.
        .half_close(true)
        .header_read_timeout(app.config.connections.read_timeout)
        .max_header_size(app.config.input.max_head_bytes.as_u64() as usize)
        .keep_alive(keeps_alive)
        .serve_connection(io, service);

    let mut drain_begun = pin!(app.admission.drain().begun());
    let ended = poll_fn(|cx| {
        pace.begin_poll();
        let ended = connection.poll_without_shutdown(cx);
        // The answers before the session's are in hyper's buffer for as long as the client does not take them.
        if !progress.is_write_pending()
            && let Some((framing, held)) = handover.take()
        {
            return Poll::Ready(Ok(Some(Left::Held(framing, held))));
        }
        if ended.is_pending() && keeps_alive && progress.is_idle() {
            return Poll::Ready(Ok(Some(Left::Idle)));
        }
        if ended.is_pending() && keeps_alive && drain_begun.as_mut().poll(cx).is_ready() {
            keeps_alive = false;
            Pin::new(&mut connection).graceful_shutdown();
            cx.waker().wake_by_ref();
        }
        ended.map_ok(|()| None)
    })
    .await;

    let parts = connection.into_parts();
    let mut client = parts.io.into_inner().into_client();
    client.look_again();
    let left = match ended {
        Ok(Some(left)) => {
            client.put_back(parts.read_buf);
            left
        }
        Ok(None) => Left::Finished,
        // An answer is half written, and nothing can come behind it.
        Err(error) if progress.is_write_pending() => {
            debug!(%error, "connection ended");
            Left::Gone
        }
        Err(error) => match answer_to_bad_head(&error, &app, parts.read_buf.len()) {
            Some(answer) => {
                debug!(%error, "bad request");
                Left::BadRequest(answer)
            }
            None => {
                debug!(%error, "connection ended");
                Left::Gone
            }
        },
    };
    (client, left)
}

/// Answers one request through the service's routes, once it is admitted.
pub(super) fn respond(
    request: http::Request<TrackedBody<Incoming>>,
    app: Arc<App>,
    routes: Routes,
    handover: Handover,
    sender: Sender,
    pace: Pace,
) -> BoxFuture<'static, Result<Response, Infallible>> {
    async move {
        pace.next().await;
        let (mut head, body) = request.into_parts();
        if let Err(error) = rules::check(head.version, &head.headers) {
            let mut answer = finished(error.reply().with(CONNECTION, "close"), &app, OpenTo::NoRequest);
            if head.version == Version::HTTP_10 {
                // To an answer of HTTP/1.1, hyper would add that the connection is kept alive, as the client has asked for.
                *answer.version_mut() = Version::HTTP_10;
            }
            return Ok(answer);
        }
        let (method, path) = (&head.method, head.uri.path());
        let reads = matches!(*method, Method::GET | Method::HEAD);
        let answers = reads && routes.takes_when_full(path, &head.headers);
        let Sender { peer, overflow, seat } = sender;
        let has_room = seat.is_none_or(|seat| seat.change_to(&head.headers));
        let admitted = app.admission.admit(method, path, &head.headers, overflow.as_deref(), has_room, answers);
        let response = match admitted.refusal {
            Some(reply) => reply.into(),
            // A request to CONNECT; warp assumes that there is a path.
            None if head.uri.path().is_empty() => Response::from(ApiError::NotFound.reply()),
            None => {
                head.extensions.insert(Context {
                    version: head.version,
                    open_to: admitted.open_to,
                    stay: admitted.stay,
                    client: app.client_address(peer, &head.headers),
                });
                head.extensions.insert(handover);
                let request = http::Request::from_parts(head, body);
                tower_service::Service::call(&mut warp::service(routes.all()), request).await?
            }
        };
        Ok(finished(response, &app, admitted.open_to))
    }
    .boxed()
}

/// Adds the headers that every answer carries, and counts the answer if it is an error.
pub(super) fn finished(response: impl Into<Response>, app: &App, open_to: OpenTo) -> Response {
    let mut response = response.into();
    if let Some(ErrorCode(code)) = response.extensions().get() {
        app.metrics().rejected().count(code);
    }
    let headers = response.headers_mut();
    app.admission.origins().each_header(open_to, |name, value| drop(headers.insert(name, value)));
    response
}

/// Returns the answer to bytes that are no valid request, `unread` of which had come. `None` if the client has gone or
/// asked nothing.
fn answer_to_bad_head(error: &hyper::Error, app: &App, unread: usize) -> Option<ApiError> {
    let limit = app.config.input.max_head_bytes.as_u64() as usize;
    if error.is_parse_too_large() && unread >= limit {
        Some(ApiError::HeadTooLarge { limit })
    } else if error.is_parse_too_large() {
        // hyper has one error for these three mistakes as well.
        let problem = "more than 100 headers, a URL of more than 65534 bytes, or a length that no body has; send less";
        Some(ApiError::BadRequest(problem.to_owned()))
    } else if error.is_parse() {
        let advice = "in a URL, write special characters encoded, such as %3E for >";
        Some(ApiError::BadRequest(format!("{error}; {advice}")))
    } else if error.is_timeout() && unread > 0 {
        Some(ApiError::TooSlow { part: "head" })
    } else {
        None
    }
}
