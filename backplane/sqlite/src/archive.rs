//! Messages that memory does not hold, read from the file a page at a time.
//!
//! - `interest`: the topics of the file that filters name
//! - `page`: what comes after a position
//! - `file_archive`: the archive, as the hub knows it

mod file_archive;
mod interest;
mod page;

pub(crate) use file_archive::{FileArchive, Shelf};
