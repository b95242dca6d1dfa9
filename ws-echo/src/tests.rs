//! Tests of the frames in both directions, which need what the crate keeps to itself.

mod differential;
mod fuzzing;
mod reader;
mod rfc6455;
mod stream;
mod wire_frame;
