//! Requests that are read without hyper.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| serving::fuzzing::head(bytes));
