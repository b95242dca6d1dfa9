//! The examples and rules of RFC 9112 (HTTP/1.1), byte by byte, in the order of its sections.
//!
//! If the service answers otherwise than the RFC asks, the test asserts the answer as it is, and its comment begins
//! with "Against section".

mod body;
mod chunk;
mod exchange;
mod field;
mod persistence;
mod request_line;
mod target;
