//! The machine crashes under a history in a file, at any moment, and nothing that anyone was told may be gone.
//!
//! Programs publish and follow while `recorder.c`, loaded before the C library, records what they write, sync and remove. A crash
//! is then played through for any moment of the record: what was synced is on the disk; of the rest each sector is, or is not,
//! in any order. The directory as it would be found after the crash is opened and read.
//!
//! In reading order: `record` (what was done), `disk` (what a crash leaves of it), `work` (the program that is recorded), `verdict` (what
//! the history still has), [`Crash`] (all of it, many times).

#![allow(missing_docs)]

mod disk;
mod history;
mod record;
mod run;
mod verdict;
mod work;

pub use run::Crash;
pub use work::Work;
