//! Checks of the nouns on any bytes, which panic where something is wrong. `tools/fuzz` runs them with bytes that it
//! searches, and the tests with its seeds.

mod cursor;
mod fields;
#[cfg(test)]
mod tests;
mod topic;

pub use cursor::cursor;
pub use fields::fields;
pub use topic::topic;
