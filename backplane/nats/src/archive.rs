//! Pages of messages that memory no longer holds, read from the stream.
//!
//! A client that reads older messages holds no page: after each batch its subscriber asks for what comes after its new
//! position. So the archive keeps the pages that were used last, and bounds their total size together with what the fetches
//! under way hold.
//!
//! - `page`: messages between two offsets, and what they cost
//! - `cache`: the pages that are kept
//! - `charge`: what a fetch under way holds
//! - `fetch`: reading a page, and the proof that it is whole
//! - `page_store`: the pages that are kept or being fetched, which clients share
//! - `stream_archive`: the archive, as the hub knows it

mod cache;
mod charge;
mod fetch;
mod page;
mod page_store;
mod stream_archive;

pub(crate) use stream_archive::StreamArchive;
