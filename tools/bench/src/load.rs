//! The load: thousands of connections in one thread, as cheap as they can be, so that it is the server that is measured.
//!
//! ```text
//!  lane (publishes) ──▶ server ──▶ follower ──▶ ledger
//!        ▲                            │
//!        └───────── crowd ◀───────────┘  one epoll for all of them
//! ```
//!
//! A `stamp` in every message has its number and the time at which it was sent. `answer` and `frames` read HTTP and
//! WebSocket, `link` is the socket, `tls_session` its TLS, and `door` says how clients come in.

mod answer;
mod crowd;
mod door;
mod follower;
mod frames;
mod lane;
mod ledger;
mod link;
mod stamp;
mod tls_session;

pub(crate) use answer::Head;
pub use crowd::Pace;
pub(crate) use crowd::{Crowd, PATIENCE, Setup, Tally};
pub use door::Door;
pub(crate) use follower::Subscription;
pub(crate) use frames::{Frames, MASK, Piece, frame, handshake};
pub(crate) use lane::{MAX_TOPICS, NUMBER, number};
pub use ledger::Faults;
pub(crate) use ledger::Ledger;
pub(crate) use link::{Link, Wire};
pub(crate) use stamp::{LENGTH as STAMP, Scanner, Stamp};
