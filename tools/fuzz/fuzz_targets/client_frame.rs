//! The frames of the feed that a client sends.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ws_echo::fuzzing::client_frame(bytes));
