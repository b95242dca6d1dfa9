//! The checks of `tools/fuzz` as tests.

use testkit::fuzzing::assert_holds;

use crate::fuzzing::{client_frame, stream};

#[test]
fn a_stream_is_read_as_tungstenite_reads_it() {
    assert_holds("websocket", stream);
}

#[test]
fn a_frame_says_what_its_json_does() {
    assert_holds("client_frame", client_frame);
}
