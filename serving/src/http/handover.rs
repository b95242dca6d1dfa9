//! How a handler takes a connection out of the hands of those who read its requests.

use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt;
use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use futures_util::future::BoxFuture;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE};
use http::{StatusCode, Version};
use parking_lot::Mutex;

use super::admission::SharedHeaders;
use super::socket::Socket;

/// What is done with a connection that was taken over.
pub(super) type Session = Box<dyn FnOnce(Socket) -> BoxFuture<'static, Ended> + Send>;

/// What a handler answers: a response, or a session that writes it.
pub enum Answer {
    /// A whole response.
    Response(warp::reply::Response),
    /// Made by [`super::Request::hand_over`].
    Session(TakeOver),
}

/// A session that takes a connection over.
pub struct TakeOver(pub(super) Session);

impl TakeOver {
    pub(super) fn new<F, Fut>(session: F) -> Self
    where
        F: FnOnce(Socket) -> Fut + Send + 'static,
        Fut: Future<Output = Ended> + Send + 'static,
    {
        Self(Box::new(|socket| Box::pin(session(socket))))
    }
}

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
    pub(super) async fn take_over(&self, session: TakeOver) -> Infallible {
        *self.state.session.lock() = Some(session.0);
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
    shared_headers: SharedHeaders,
}

impl Responder {
    pub(super) fn new(keep_alive: bool, version: Version, shared_headers: SharedHeaders) -> Self {
        Self { keep_alive, version, shared_headers }
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
    pub fn stream_head<'a>(
        &self,
        status: StatusCode,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Vec<u8> {
        let mut head = self.head(status, 0);
        headers.into_iter().for_each(|(name, value)| put(&mut head, name, value.as_bytes()));
        if status != StatusCode::SWITCHING_PROTOCOLS {
            put(&mut head, CONNECTION.as_str(), b"close");
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    /// A whole answer.
    pub fn whole<'a>(
        &self,
        status: StatusCode,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        body: &[u8],
    ) -> Vec<u8> {
        let mut answer = self.head(status, body.len());
        headers.into_iter().for_each(|(name, value)| put(&mut answer, name, value));
        if status != StatusCode::NO_CONTENT {
            let mut digits = itoa::Buffer::new();
            put(&mut answer, CONTENT_LENGTH.as_str(), digits.format(body.len()).as_bytes());
        }
        if !self.keep_alive {
            put(&mut answer, CONNECTION.as_str(), b"close");
        } else if self.version == Version::HTTP_10 {
            put(&mut answer, CONNECTION.as_str(), b"keep-alive");
        }
        answer.extend_from_slice(b"\r\n");
        answer.extend_from_slice(body);
        answer
    }

    /// Status line and the headers of every answer (RFC 9112, sections 4 and 5), without the empty line at the end and
    /// with room for the rest.
    fn head(&self, status: StatusCode, body: usize) -> Vec<u8> {
        const HEAD: usize = 512;
        let mut head = Vec::with_capacity(HEAD + body);
        head.extend_from_slice(b"HTTP/1.1 ");
        head.extend_from_slice(status.as_str().as_bytes());
        head.push(b' ');
        head.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
        head.extend_from_slice(b"\r\n");
        with_date(|date| put(&mut head, DATE.as_str(), date));
        self.shared_headers.each(|name, value| put(&mut head, name.as_str(), value.as_bytes()));
        head
    }
}

/// The present time as a header has it. Written once a second.
fn with_date(take: impl FnOnce(&[u8])) {
    thread_local! {
        static DATE: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
    }
    let now = SystemTime::now();
    let second = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    DATE.with_borrow_mut(|(written, date)| {
        if date.is_empty() || *written != second {
            *written = second;
            *date = httpdate::fmt_http_date(now);
        }
        take(date.as_bytes());
    });
}

fn put(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value);
    head.extend_from_slice(b"\r\n");
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Response(_) => "Response",
            Self::Session(_) => "Session",
        })
    }
}

impl fmt::Debug for TakeOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TakeOver")
    }
}
