//! The program `push`, against real services.

#![allow(clippy::unwrap_used)]

mod helpers;
mod publish;
mod subscribe;
