//! The JetStream stream that holds the history.
//!
//! - `metadata`: the keys that this crate keeps in the stream's metadata; `recorded`: what must not be lost of it
//! - `settings`: the stream as the flags want it; `fit`: the check that an existing stream can keep the promise of delivery
//! - `snapshot`: the stream as it was at one moment
//! - `error`: the reasons why there is no snapshot
//! - `history_stream`: the requests about the stream

mod error;
mod fit;
mod history_stream;
mod metadata;
mod recorded;
mod settings;
mod snapshot;
mod stream_clock;

pub(crate) use error::StreamError;
pub(crate) use history_stream::HistoryStream;
pub(crate) use settings::StreamSettings;
pub(crate) use snapshot::StreamSnapshot;
pub(crate) use stream_clock::StreamClock;
