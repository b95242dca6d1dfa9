//! The checks as tests.

use testkit::fuzzing::assert_holds;

#[test]
fn a_head_is_read_as_hyper_reads_it() {
    assert_holds("head", super::head);
}

#[test]
fn parameters_are_those_of_a_form() {
    assert_holds("query", super::query);
}

#[test]
fn claims_count_whole_or_not_at_all() {
    assert_holds("claims", super::claims);
}

#[test]
fn a_body_holds_the_messages_that_its_json_does() {
    assert_holds("body", super::body);
}
