//! The body of a publication.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| serving::fuzzing::body(bytes));
