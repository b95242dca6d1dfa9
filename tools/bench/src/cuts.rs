//! `bench cuts`: what clients receive when their connections are cut.
//!
//! ```text
//! publisher ────────────────────────────────▶ server
//!     │                                          │
//!     ▼              clients ◀── bad network ◀───┘
//!  ledger               │
//!     └──────▶ score ◀──┘ events
//! ```
//!
//! In reading order: `args` (the command line), `run` (one run), `crowd` and `client` (the clients), `publisher`, `proxy`
//! and `injury` (the bad network), `events` and `ledger` (the records), [`score`] (the judge), `report`. `storm`,
//! `stalled` and `replicas` are runs of another kind; `balancer` leads clients from replica to replica.

mod args;
mod balancer;
mod client;
mod crowd;
pub mod events;
mod injury;
pub mod ledger;
mod progress;
mod proxy;
mod publisher;
mod replicas;
mod report;
mod run;
pub mod score;
mod stalled;
mod storm;

pub use args::Cuts;
pub use proxy::Injuries;
pub use publisher::Trouble;
pub use replicas::{Replica, Shared, Upheaval, measure_replicas};
pub use report::{Report, Results, Stalls};
pub use run::{Outcome, Plan, Server, measure};
pub use storm::{Storm, storm};
