//! Requests that hyper reads, and how a connection leaves hyper.
//!
//! hyper serves the requests of a connection until one of them is answered by a session, which then gets the connection
//! back from hyper, or until there are no more.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context as TaskContext, Poll, ready};

use bytes::Buf;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};
use tracing::debug;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::client::Client;
use super::handover::{Handover, Held};
use crate::app::App;
use crate::error::ApiError;
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
    let is_overflow = client.is_overflow();
    let handover = Handover::default();
    let progress = Arc::new(Progress::default());
    let io = TokioIo::new(Io { client, progress: Arc::clone(&progress), stalled: None });
    let service = hyper::service::service_fn(|request| {
        let answer = Progress::answer(&progress);
        let response = respond(request, Arc::clone(&app), routes.clone(), handover.clone(), is_overflow);
        // The body holds the answer's token, and is dropped when hyper has taken all of it.
        response.map(|response| {
            response.map(|response| {
                response.map(|body| {
                    body.map_frame(move |frame| {
                        let _held_by_the_body = &answer;
                        frame
                    })
                })
            })
        })
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
        if !progress.write_pending.load(Ordering::Relaxed)
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
    let mut client = parts.io.into_inner().client;
    client.look_again();
    let left = match ended {
        Ok(Some(held)) => {
            client.unread(parts.read_buf);
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
    is_overflow: bool,
) -> BoxFuture<'static, Result<Response, Infallible>> {
    async move {
        let (mut head, body) = request.into_parts();
        let admitted = app.admission.admit(&head.method, head.uri.path(), &head.headers, is_overflow);
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

/// The progress of the answers that hyper writes.
#[derive(Debug, Default)]
struct Progress {
    /// Answers of ours that hyper has not taken whole.
    answers: AtomicUsize,
    /// Some of what hyper wrote last was an answer of ours, and it may not have written all of it.
    writes_ours: AtomicBool,
    /// The client does not take what hyper writes.
    write_pending: AtomicBool,
}

/// An answer on its way from a handler to hyper.
struct AnswerToken(Arc<Progress>);

impl Progress {
    fn answer(progress: &Arc<Self>) -> AnswerToken {
        progress.answers.fetch_add(1, Ordering::Relaxed);
        progress.writes_ours.store(true, Ordering::Relaxed);
        AnswerToken(Arc::clone(progress))
    }

    /// Everything that hyper had to write is written.
    fn flushed(&self) {
        self.writes_ours.store(self.answers.load(Ordering::Relaxed) > 0, Ordering::Relaxed);
    }

    /// Returns whether hyper, in writing now, answers a bad head by itself: it does so without a body and without asking.
    fn is_hypers_own(&self) -> bool {
        !self.writes_ours.load(Ordering::Relaxed)
    }
}

impl Drop for AnswerToken {
    fn drop(&mut self) {
        self.0.answers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The client as hyper reads and writes it.
struct Io {
    client: Client,
    progress: Arc<Progress>,
    /// Runs from when the client began to take nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Io {
    /// Ends the wait of a write that made no progress for too long.
    fn poll_stalled(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Result<usize>> {
        let timeout = self.client.app().config.connections.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing")))
    }
}

impl AsyncRead for Io {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (transport, unread) = self.client.transport();
        if unread.is_empty() {
            return Pin::new(transport).poll_read(cx, buf);
        }
        let count = unread.len().min(buf.remaining());
        buf.put_slice(&unread[..count]);
        unread.advance(count);
        if unread.is_empty() {
            *unread = bytes::BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut TaskContext<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.progress.is_hypers_own() {
            // Dropped, for our own answer to take its place.
            return Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()));
        }
        let written = self.client.transport().0.poll_write_parts(cx, bufs);
        self.progress.write_pending.store(written.is_pending(), Ordering::Relaxed);
        if written.is_pending() {
            return self.poll_stalled(cx);
        }
        self.stalled = None;
        written
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        self.progress.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.client.transport().0).poll_shutdown(cx)
    }
}
