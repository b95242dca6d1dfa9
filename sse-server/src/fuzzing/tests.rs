//! The checks as tests.

#[test]
fn other_decoders_find_in_a_stream_what_was_put_into_it() {
    testkit::fuzzing::assert_holds("events", super::events);
}
