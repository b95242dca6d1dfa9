//! `push doctor`: what gets through to a service, and what is in the way.
//!
//! - `args`: its flags; `run`: the command; `finding`: the outcome of a check
//! - `reach`: it is there, and its clock; `web_socket`, `stream` and `long_poll`: the three methods; `delivery`: a message by each of them
//! - `headers`: headers that were lost or added on the way; `advice`: what to change

mod advice;
mod args;
mod delivery;
mod finding;
mod headers;
mod long_poll;
mod reach;
mod run;
mod stream;
mod web_socket;

pub(crate) use args::Doctor;
