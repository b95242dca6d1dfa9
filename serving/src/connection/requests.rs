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
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tracing::debug;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::client::Client;
use super::handover::{Handover, Held};
use super::hyper_io::{Io, Progress, TrackedBody};
use crate::app::App;
use crate::error::ApiError;
use crate::overflow::OverflowPlace;
use crate::request::Context;

/// The way in which a connection left hyper.
pub(super) enum Left {
    /// A session answers the last request.
    Held(Held),
    /// The request was none, and this has to be said yet.
    BadRequest(ApiError),
    /// Everything is written, and no further request is served.
    Finished,
    /// There is nobody to write to.
    Gone,
}

/// Has hyper serve requests, until one is held or there are no more.
pub(super) async fn serve_requests(client: Client, app: Arc<App>, routes: BoxedFilter<(Response,)>) -> (Client, Left) {
    let overflow = client.overflow().cloned();
    let is_overflow = overflow.is_some();
    let handover = Handover::default();
    let progress = Arc::new(Progress::default());
    let io = TokioIo::new(Io::new(client, Arc::clone(&progress)));
    let service = hyper::service::service_fn(|request| {
        let answer = Progress::begin_answer(&progress);
        let response = respond(request, Arc::clone(&app), routes.clone(), handover.clone(), overflow.clone());
        response.map(|outcome| outcome.map(|response| response.map(|body| TrackedBody::new(body, answer))))
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
        let ended = connection.poll_without_shutdown(cx);
        // The answers before the session's are in hyper's buffer for as long as the client does not take them.
        if !progress.is_write_pending()
            && let Some(held) = handover.take()
        {
            return Poll::Ready(Ok(Some(held)));
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
        Ok(Some(held)) => {
            client.put_back(parts.read_buf);
            Left::Held(held)
        }
        Ok(None) => Left::Finished,
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
fn respond(
    request: http::Request<Incoming>,
    app: Arc<App>,
    routes: BoxedFilter<(Response,)>,
    handover: Handover,
    overflow: Option<Arc<OverflowPlace>>,
) -> BoxFuture<'static, Result<Response, Infallible>> {
    async move {
        let (mut head, body) = request.into_parts();
        let admitted = app.admission.admit(&head.method, head.uri.path(), &head.headers, overflow.as_deref());
        let mut response = match admitted.refusal {
            Some(reply) => reply.into(),
            // A request to CONNECT; warp assumes that there is a path.
            None if head.uri.path().is_empty() => ApiError::NotFound.reply().into(),
            None => {
                head.extensions.insert(Context {
                    version: head.version,
                    open_to: admitted.open_to,
                    stay: admitted.stay,
                });
                head.extensions.insert(handover);
                let request = http::Request::from_parts(head, body);
                tower_service::Service::call(&mut warp::service(routes), request).await?
            }
        };
        let headers = response.headers_mut();
        app.admission.origins().each_header(admitted.open_to, |name, value| drop(headers.insert(name, value)));
        Ok(response)
    }
    .boxed()
}

/// Returns the answer to a client whose request never became one, of which `unread` bytes had come. `None` if nobody waits
/// for an answer, or nothing was asked.
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
