//! `push sub`: follows topics, over every interruption.
//!
//! - `run`: the loop of connections; `args`: its flags; `state`: the cursor in a file
//! - `session`: one connection, by `feed` (WebSocket), `events` (Server-Sent Events) or `poll` (long polling), with
//!   a `query` each, dead after `silence`

mod args;
mod events;
mod feed;
mod poll;
mod query;
mod received;
mod run;
mod session;
mod silence;
mod state;

pub(crate) use args::{Subscribe, position};
pub(crate) use received::Received;
pub(crate) use session::Session;
