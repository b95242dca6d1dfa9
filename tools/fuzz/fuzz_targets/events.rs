//! The events of a stream.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sse_server::fuzzing::events(bytes));
