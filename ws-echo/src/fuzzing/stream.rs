//! The bytes of a WebSocket.

use super::outcome::{Difference, ours, tungstenites};

/// The longest message that the reader of the check takes.
const LIMIT: usize = 1000;

/// Checks that a stream of frames is the same to our reader and to tungstenite's, that it is the same in any pieces, and that
/// the reader keeps no more than a message and a frame. The first byte is the length of the pieces, the rest is the stream.
pub fn stream(bytes: &[u8]) {
    let [length, stream @ ..] = bytes else { return };
    let pieces: Vec<Vec<u8>> = stream.chunks(usize::from(*length).max(1)).map(<[u8]>::to_vec).collect();
    let in_pieces = ours(&pieces, LIMIT);
    let whole = ours(&[stream.to_vec()], LIMIT);
    assert_eq!(in_pieces, whole, "in pieces of {length}");
    let theirs = tungstenites(pieces.clone(), LIMIT);
    if in_pieces != theirs {
        let difference = Difference::between(&in_pieces, &theirs, &pieces, LIMIT);
        assert!(difference.is_some(), "ours: {in_pieces:?}\ntungstenite's: {theirs:?}");
    }
}
