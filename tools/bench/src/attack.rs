//! `bench attack`: what honest clients notice of an abusive one.
//!
//! ```text
//! honest publishers ──▶ server ──▶ honest subscribers      crowd of `load`
//!                       ▲    ▲
//!            attackers ─┘    └─ probes of /livez
//! ```
//!
//! In reading order: `args` (the command line and its loop), [`Kind`] (the attacks), `trial` (one attack on one server),
//! [`Site`] (the service's certificate and keys), `swarm` (the attackers' thread), `ground` (what an attacker knows), `client` (its connection) and `toll` (what it
//! was answered); then an attack per file. `probe` and `gauge` watch the server, `history` fills it, `limits` judges
//! and `table` shows the results.

mod args;
mod arrays;
mod bodies;
mod churn;
mod client;
mod cross_site;
mod floods;
mod follow;
mod frames;
mod gauge;
mod ground;
mod heads;
mod history;
mod http2;
mod kind;
mod limits;
mod messages;
mod pages;
mod probe;
mod renegotiation;
mod silence;
mod site;
mod spin;
mod swarm;
mod table;
mod tls;
mod tokens;
mod toll;
mod trial;

pub use args::Attack;
pub use kind::Kind;
pub use limits::Limits;
pub use site::Site;
pub use table::table;
pub use trial::{Plan, measure};
