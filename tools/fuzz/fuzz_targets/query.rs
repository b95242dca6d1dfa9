//! The parameters of a request.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| serving::fuzzing::query(bytes));
