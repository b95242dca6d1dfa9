//! One client, as a good one is written: it notices a dead connection, reconnects soon, and resumes from its cursor.
//!
//! `reconnect` is the client itself, `endpoint` one of the endpoints that it follows, `notes` what it remembers between two
//! connections; `poll`, `sse` and `ws` are one connection by each method.

mod endpoint;
mod notes;
mod poll;
mod reconnect;
mod sse;
mod ws;

pub(crate) use endpoint::Endpoint;
pub(crate) use notes::Notes;
pub(crate) use reconnect::Client;
