//! The load: thousands of connections in one thread, as cheap as they can be, so that the server is what is measured.
//!
//! ```text
//!  lane (publishes) ──▶ server ──▶ follower ──▶ ledger
//!        ▲                            │
//!        └───────── crowd ◀───────────┘  one epoll for all of them
//! ```
//!
//! A `mark` in every message says which one it is and when it was sent. `answer` and `frames` take HTTP and WebSocket off
//! the bytes, `link` is the socket.

mod answer;
mod crowd;
mod follower;
mod frames;
mod lane;
mod ledger;
mod link;
mod mark;

pub(crate) use answer::Head;
pub use crowd::Pace;
pub(crate) use crowd::{Crowd, PATIENCE, Setup, Tally};
pub(crate) use follower::Manner;
pub(crate) use frames::{Frames, MASK, Piece, frame, handshake};
pub use ledger::Faults;
pub(crate) use link::{Link, Wire};
