//! The backplane of many machines: a NATS JetStream stream orders the messages, and every process follows it.
//!
//! Offsets are the stream's sequences, so a cursor means the same in every process. A publication goes to the stream and
//! comes back with those of others; only what comes back enters the hub. The promises of this crate:
//!
//! - A publication that is confirmed is in the stream. One that is repeated under its idempotency key is stored once, and
//!   another one under the same key is refused.
//! - Every process has the messages in the same order. A message that the stream gave up before a process read it is
//!   reported as a gap, and so is a stream that was created again or has lost messages that it had confirmed.
//! - Messages that memory no longer holds are read from the stream, in pages whose total size is bounded.
//!
//! In reading order:
//! - [`config`](NatsConfig), [`url`](NatsUrl), [`secret`](Secret): the flags
//! - `link`: the connection
//! - `stored_message`: a message as the stream stores it; `subjects`: the subjects of topics and patterns
//! - `stream`: the stream, its settings, and snapshots of it
//! - `status`, `replica`: how much of the stream this process has; `figures`: what it counts
//! - `follower`: from the stream to the hub; `consumer`, `continuity`, `history`, `intake`, `interruption`: its parts; `fill`:
//!   the first read, and `losses`: the inference of what is missing then
//! - `publisher`: from publications to the stream; `confirmation`: the stream's answer
//! - `archive`: pages of messages that memory no longer holds
//! - `snapshots`: one snapshot of the stream for all who need one at the same time
//! - `nats`: the backplane, made of all these

mod archive;
mod config;
mod confirmation;
mod consumer;
mod continuity;
mod figures;
mod fill;
mod follower;
mod history;
mod intake;
mod interruption;
mod link;
mod losses;
mod nats;
mod publisher;
mod replica;
mod secret;
mod snapshots;
mod status;
mod stored_message;
mod stream;
mod subjects;
mod url;

pub use config::NatsConfig;
pub use nats::{ConfigError, Nats};
pub use secret::Secret;
pub use url::{BadNatsUrl, NatsUrl};
