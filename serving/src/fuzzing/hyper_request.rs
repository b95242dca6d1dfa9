//! A request as hyper reads it, without a socket.

use std::cell::RefCell;
use std::convert::Infallible;

use bytes::Bytes;
use futures_util::FutureExt;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{join, sink};

/// The times that hyper is asked to go on. It has all of the bytes at once, and needs few.
const MAX_POLLS: usize = 16;

/// Returns the request at the beginning of `bytes` and its body, unless hyper finds it invalid or not whole.
pub(super) fn first(bytes: &[u8]) -> Option<(Parts, Bytes)> {
    let first = RefCell::new(None);
    let read = async |request: Request<Incoming>| {
        let (head, body) = request.into_parts();
        if let Ok(body) = body.collect().await {
            first.borrow_mut().get_or_insert((head, body.to_bytes()));
        }
        Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
    };
    let mut connection = http1::Builder::new()
        .half_close(true)
        .header_read_timeout(None)
        .keep_alive(false)
        .serve_connection(TokioIo::new(join(bytes, sink())), service_fn(read));
    for _ in 0..MAX_POLLS {
        if (&mut connection).now_or_never().is_some() || first.borrow().is_some() {
            break;
        }
    }
    drop(connection);
    first.into_inner()
}
