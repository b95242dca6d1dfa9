//! Checks of the formats, which any bytes are put into and other decoders take out of. They panic where something is wrong.
//! `tools/fuzz` runs them with bytes that it searches, and the tests with its seeds.

mod events;
#[cfg(test)]
mod tests;

pub use events::events;
