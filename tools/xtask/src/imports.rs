//! `cargo xtask imports`: files that import each other in a circle.
//!
//! A file imports another if it names something that the other defines: in a `use`, or in a path in its code. A name is
//! followed through re-exports to the file that defines it, so a file that only declares and re-exports its children
//! imports none of them, and nobody imports it.
//!
//! In reading order: `task` (the command), `package` (the crates, as cargo lists them), `module` (a module with its names),
//! `reader` (the modules of a crate, from its files), `syntax` and `tokens` (the names of a module, from its syntax), `cfg`
//! (what is compiled for tests alone), `resolver` (the file that defines a name), `graph` (who imports whom), `circle`.

mod cfg;
mod circle;
mod graph;
mod module;
mod package;
mod reader;
mod resolver;
mod syntax;
mod task;
#[cfg(test)]
mod tests;
mod tokens;

pub(crate) use task::Imports;
