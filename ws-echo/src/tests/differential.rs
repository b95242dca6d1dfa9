//! The reader against tungstenite's, on random streams of frames.
//!
//! Both have to give the same messages, and to end in the same way. [`Difference`] lists the exceptions.

use proptest::prelude::*;

use super::stream::{LIMIT, client_stream};
use super::wire_frame::{CLOSE, FIN, LengthForm, TEXT, WireFrame, frame};
use crate::fuzzing::outcome::{Difference, ours, tungstenites};

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 8 * ProptestConfig::default().cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_reader_agrees_with_tungstenites_on_any_stream(stream in client_stream()) {
        let pieces = stream.pieces();
        let (ours, theirs) = (ours(&pieces, LIMIT), tungstenites(pieces.clone(), LIMIT));
        if ours != theirs {
            let difference = Difference::between(&ours, &theirs, &pieces, LIMIT);
            prop_assert!(difference.is_some(), "ours: {ours:?}\ntungstenite's: {theirs:?}");
        }
    }
}

#[test]
fn each_difference_is_one() {
    let long_length = WireFrame { form: LengthForm::EightBytes, ..WireFrame::new(FIN | TEXT, b"a") };
    let mut long = Vec::new();
    long_length.write(&mut long);
    let reserved = frame(FIN | TEXT | 0x40, b"a");
    let too_long = frame(FIN | TEXT | 0x40, &[b'a'; LIMIT + 1]);
    for (bytes, difference) in [
        (long, Difference::LengthForm),
        (reserved[..6].to_vec(), Difference::Earlier),
        (frame(TEXT, b"\xff"), Difference::LaterUtf8),
        (too_long, Difference::OtherCode),
        (frame(FIN | CLOSE, b"\x03\xee\xff"), Difference::OtherCode),
        (frame(FIN | CLOSE, &1014_u16.to_be_bytes()), Difference::NewCode),
    ] {
        let (ours, theirs) = (ours(std::slice::from_ref(&bytes), LIMIT), tungstenites([bytes.clone()], LIMIT));
        assert_ne!(ours, theirs);
        assert_eq!(Difference::between(&ours, &theirs, &[bytes], LIMIT), Some(difference), "{ours:?} {theirs:?}");
    }
}
