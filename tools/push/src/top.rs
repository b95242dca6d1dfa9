//! `push top`: the figures of services, as they change.
//!
//! - `args`: its flags; `run`: the command; `target`: a service that is looked at; `samples`: the text of its metrics
//! - `figures`: what is shown of it; `table`: the same on a terminal

mod args;
mod figures;
mod run;
mod samples;
mod table;
mod target;

pub(crate) use args::Top;
