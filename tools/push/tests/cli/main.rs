//! The program `push`, against real services.

#![allow(clippy::unwrap_used)]

mod doctor;
mod forgetful;
mod helpers;
mod history;
mod programs;
mod publish;
mod stub;
mod subscribe;
mod top;
