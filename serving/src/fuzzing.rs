//! Checks of what reads the bytes of clients, on any bytes. They panic where something is wrong. `tools/fuzz` runs them with
//! bytes that it searches, and the tests with its seeds.

mod body;
mod head;
mod hyper_request;
mod query;
#[cfg(test)]
mod tests;

pub use crate::access::fuzzing::claims;
pub use body::body;
pub use head::head;
pub use query::query;
