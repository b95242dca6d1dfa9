//! Checks of what reads the bytes of clients, on any bytes. They panic where something is wrong. `tools/fuzz` runs them with
//! bytes that it searches, and the tests with its seeds.

mod client_frame;
pub(crate) mod outcome;
mod stream;

pub use client_frame::client_frame;
pub use stream::stream;
