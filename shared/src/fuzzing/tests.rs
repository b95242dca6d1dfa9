//! The checks as tests.

use testkit::fuzzing::assert_holds;

#[test]
fn cursors_are_read_as_they_are_written() {
    assert_holds("cursor", super::cursor);
}

#[test]
fn filters_match_and_cover_as_their_tokens_say() {
    assert_holds("topic", super::topic);
}
