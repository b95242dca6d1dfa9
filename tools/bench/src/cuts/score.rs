//! The judge, which compares what clients received with what was published. It does no I/O, so it is tested as a function.

mod judge;
mod record;
#[cfg(test)]
mod tests;
mod totals;

pub use record::Record;
pub use totals::Score;
