//! `push pub`: publishes a text, or each line of standard input.
//!
//! - `args`: its flags; `run`: the command; `lines`: standard input, line by line
//! - `batch`: messages that are sent in one request; `sender`: sends a batch until it is confirmed; `repeats`: for how long
//! - `published`: what was confirmed

mod args;
mod batch;
mod lines;
mod published;
mod repeats;
mod run;
mod sender;

pub(crate) use args::Publish;
