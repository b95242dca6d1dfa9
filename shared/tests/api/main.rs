//! The tests of the part that services rely on: the hub and the memory backplane, through the public API and without a network.

#![allow(clippy::unwrap_used)]

mod backplane;
mod hub;
