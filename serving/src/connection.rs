//! A connection, from the first byte to the last: everything that speaks HTTP is here.
//!
//! A connection's task ([`driver`](self)) waits for a request and has it answered; no handler runs before admission. A
//! request for the service's own method is read here (`head`), every other by hyper (`requests`), and both find the
//! same routes. An answer is a whole [`crate::reply::Reply`], or a [`Session`]: a state machine that receives events
//! and writes to its [`Client`], so that a waiting client costs no buffers, and no future but its connection's.
//!
//! In reading order:
//! - `driver`: the task, and the phases of a connection
//! - `session`: the state machine of a service's method; `event`: what it receives; `client`: the other end, with
//!   `brought`, what its request has brought, and `expiry`, the end of its rights
//! - `head`, `requests` (with `hyper_io`): the two readers of requests; `rules`: the checks of both; `handover`: how a
//!   session gets its connection from hyper
//! - `http2`: the reader of requests over HTTP/2, with `open_requests`, those that it has open, `http2_stall`, its write time-out, and
//!   `reading_pace`; `session_body`: a session that answers one; `http2_stream` and `upgraded`: the bytes of an answer and of a
//!   WebSocket there
//! - `response_head`: the head of an answer
//! - `transport`: what carries the bytes; `tls_stream`: TLS, over a `carrier`; `pipe`: the transport of tests; `input`, `output`: bytes
//!   between the two; `stall`: the write time-out
//! - `bell`, `timers`: how a connection is woken for its socket, its timer and the drain
//! - `peer`: the address

mod bell;
mod brought;
mod carrier;
mod client;
mod driver;
mod event;
mod expiry;
mod handover;
mod head;
mod http2;
mod http2_stall;
mod http2_stream;
mod hyper_io;
mod input;
mod open_requests;
mod output;
mod pace;
mod peer;
mod pipe;
mod reading_pace;
mod requests;
mod response_head;
mod rules;
mod session;
mod session_body;
mod stall;
mod timers;
mod tls_stream;
mod transport;
mod upgraded;

/// The types that `bell` is made of.
mod sync {
    pub(super) use futures_util::task::AtomicWaker;
    pub(super) use std::sync::atomic::{AtomicBool, AtomicU64};
}

pub(crate) use brought::Brought;
pub(crate) use carrier::Carrier;
pub use client::Client;
pub(crate) use driver::Connection;
pub use event::Event;
pub(crate) use handover::Handover;
pub use handover::{Answer, Held};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use head::{Head, Purpose};
pub use peer::Peer;
pub use pipe::FarEnd;
pub(crate) use response_head::Framing;
pub use session::{Flow, Session};
pub(crate) use timers::Timers;
pub(crate) use tls_stream::TlsStream;
pub(crate) use transport::Transport;
