//! `cargo xtask imports`: files that import each other in a circle.
//!
//! A file imports another one if it names something that the other one defines, in a `use` or in a path in its code.
//! Names are followed through re-exports to the file that defines them, so a file that only declares and re-exports its
//! children neither imports them nor is imported.
//!
//! In reading order: `task` (the command), `package` (the packages, as cargo lists them), `module` (a module with its
//! names), `reader` (the modules of a crate, from its files), `syntax` and `tokens` (the names of a module, from its
//! syntax), `cfg` (items for tests alone), `resolver` (the file that defines a name), `graph` (the imports between
//! files), `circle`.

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
