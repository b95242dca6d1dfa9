//! `bench attack`: what honest clients notice of an abusive one.
//!
//! ```text
//! honest publishers ──▶ server ──▶ honest subscribers      crowd of `load`
//!                       ▲    ▲
//!            attackers ─┘    └─ probes of /livez
//! ```
//!
//! In reading order: `args` (the command line and its loop), [`Kind`] (the attacks), `trial` (one attack on one server),
//! `swarm` (the attackers' thread), `ground` (what an attacker knows), `client` (its connection) and `toll` (what it
//! was answered); then an attack per file. `probe` and `gauge` watch the server, `history` fills it, `table` shows the
//! results.

mod args;
mod arrays;
mod bodies;
mod churn;
mod client;
mod floods;
mod follow;
mod frames;
mod gauge;
mod ground;
mod heads;
mod history;
mod kind;
mod messages;
mod pages;
mod probe;
mod silence;
mod spin;
mod swarm;
mod table;
mod toll;
mod trial;

pub use args::Attack;
pub use kind::Kind;
pub use table::table;
pub use trial::{Plan, measure};
