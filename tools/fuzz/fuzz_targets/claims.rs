//! The content of a token.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| serving::fuzzing::claims(bytes));
