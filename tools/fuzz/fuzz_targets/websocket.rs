//! The bytes of a WebSocket.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ws_echo::fuzzing::stream(bytes));
