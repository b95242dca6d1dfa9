//! The order of messages: everything published passes the backplane, and only the backplane feeds the hub.
//!
//! - `interface`: the trait of all backplanes; `publication`, `placement`, `error`, `idempotency_key`: its nouns
//! - `progress`, `publication_digest`: what the backplanes of many processes have in common
//! - `figure`: what a backplane counts for those who run the service
//! - `memory`: the backplane of one process; `answers`: its memory of repeated publications

mod answers;
mod error;
mod figure;
mod idempotency_key;
mod interface;
mod memory;
mod placement;
mod progress;
mod publication;
mod publication_digest;

pub use error::{Fatal, NotReady, PublishError};
pub use figure::{ArchiveReads, Figure, Reading, Times};
pub use idempotency_key::{BadIdempotencyKey, IDEMPOTENCY_WINDOW, IdempotencyKey, MAX_KEY_BYTES};
pub use interface::Backplane;
pub use memory::Memory;
pub use placement::{Offsets, Placed, Placement};
pub use progress::Progress;
pub use publication::{Publication, Receipt};
pub use publication_digest::PublicationDigest;
