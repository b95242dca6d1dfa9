//! How a handler takes a connection out of the HTTP library's hands.

use std::convert::Infallible;
use std::fmt::Write;
use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use futures_util::future::BoxFuture;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version};
use parking_lot::Mutex;

use super::socket::Socket;

/// What is done with a connection that was taken over.
pub(super) type Session = Box<dyn FnOnce(Socket) -> BoxFuture<'static, Ended> + Send>;

/// How a session leaves its connection.
#[derive(Debug)]
pub enum Ended {
    /// Ready for the client's next request.
    KeepAlive(Socket),
    /// With everything written, to be closed.
    Close(Socket),
    /// Of no more use: the client went away or took nothing.
    Gone,
}

/// Between the handler of a request and the task that drives its connection.
#[derive(Clone, Default)]
pub(super) struct Handover {
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    session: Mutex<Option<Session>>,
    write_pending: AtomicBool,
}

impl Handover {
    /// Leaves a session for the connection's task and waits to be dropped: the request has no other answer.
    pub(super) async fn take_over<F, Fut>(&self, session: F) -> Infallible
    where
        F: FnOnce(Socket) -> Fut + Send + 'static,
        Fut: Future<Output = Ended> + Send + 'static,
    {
        *self.state.session.lock() = Some(Box::new(|socket| Box::pin(session(socket))));
        pending().await
    }

    /// The session, once there is one and nothing of an earlier answer waits to be written.
    pub(super) fn ready_session(&self) -> Option<Session> {
        if self.state.write_pending.load(Ordering::Relaxed) { None } else { self.state.session.lock().take() }
    }

    /// Says whether bytes of an earlier answer wait to be written.
    pub(super) fn set_write_pending(&self, pending: bool) {
        self.state.write_pending.store(pending, Ordering::Relaxed);
    }
}

/// Writes the head of an answer for a connection that was taken over.
#[derive(Debug, Clone)]
pub struct Responder {
    keep_alive: bool,
    version: Version,
    /// The headers that every answer to the request carries, as they are written.
    shared_headers: Box<[u8]>,
}

impl Responder {
    pub(super) fn new(keep_alive: bool, version: Version, shared_headers: &HeaderMap) -> Self {
        let mut shared = Vec::new();
        shared_headers.iter().for_each(|(name, value)| put(&mut shared, name.as_str(), value));
        Self { keep_alive, version, shared_headers: shared.into() }
    }

    /// Whether the connection serves further requests after an answer with a length.
    pub fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    /// Has the answer be the last one on the connection.
    pub fn close(&mut self) {
        self.keep_alive = false;
    }

    /// The head of an answer that ends with the connection, or of an upgrade.
    pub fn stream_head(&self, status: StatusCode, headers: &HeaderMap) -> Vec<u8> {
        let mut head = self.head(status, headers);
        if status != StatusCode::SWITCHING_PROTOCOLS {
            put(&mut head, CONNECTION.as_str(), &HeaderValue::from_static("close"));
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    /// A whole answer.
    pub fn whole(&self, response: &Response<Vec<u8>>) -> Vec<u8> {
        let mut answer = self.head(response.status(), response.headers());
        if response.status() != StatusCode::NO_CONTENT {
            put(&mut answer, CONTENT_LENGTH.as_str(), &response.body().len().into());
        }
        if !self.keep_alive {
            put(&mut answer, CONNECTION.as_str(), &HeaderValue::from_static("close"));
        } else if self.version == Version::HTTP_10 {
            put(&mut answer, CONNECTION.as_str(), &HeaderValue::from_static("keep-alive"));
        }
        answer.extend_from_slice(b"\r\n");
        answer.extend_from_slice(response.body());
        answer
    }

    /// Status line and headers (RFC 9112, sections 4 and 5), without the empty line at the end.
    fn head(&self, status: StatusCode, headers: &HeaderMap) -> Vec<u8> {
        let mut line = String::with_capacity(512);
        let reason = status.canonical_reason().unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = write!(line, "HTTP/1.1 {} {reason}\r\n", status.as_u16());
        let _ = write!(line, "{DATE}: {}\r\n", httpdate::fmt_http_date(SystemTime::now()));
        let mut head = line.into_bytes();
        headers.iter().for_each(|(name, value)| put(&mut head, name.as_str(), value));
        head.extend_from_slice(&self.shared_headers);
        head
    }
}

fn put(head: &mut Vec<u8>, name: &str, value: &HeaderValue) {
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value.as_bytes());
    head.extend_from_slice(b"\r\n");
}
