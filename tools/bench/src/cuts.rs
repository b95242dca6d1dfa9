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
//! and `injury` (the bad network), `issuer` (the tokens), `events` and `ledger` (the records), [`score`] (the judge), `report`. `storm`,
//! `stalled` and `replicas` are runs of another kind; `replica` and `balancer` lead clients from replica to replica, `sharing` has the
//! options for replicas, `kills` kills them, and `stored` compares their history with the ledger.

mod args;
mod balancer;
mod client;
mod crowd;
pub mod events;
mod injury;
mod issuer;
mod kills;
pub mod ledger;
mod progress;
mod proxy;
mod publisher;
mod replica;
mod replicas;
mod report;
mod run;
pub mod score;
mod sharing;
mod stalled;
mod stored;
mod storm;

pub use args::Cuts;
pub use balancer::Addresses;
pub use issuer::Issuer;
pub use proxy::{Injuries, Proxy};
pub use publisher::Trouble;
pub use replica::Replica;
pub use replicas::{Shared, Upheaval, measure_replicas};
pub use report::{Report, Results, Stalls};
pub use run::{Outcome, Plan, Server, Tokens, measure};
pub use stored::Stored;
pub use storm::{Storm, storm};
