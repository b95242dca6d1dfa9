//! The reader: messages in any pieces, refusals, and the memory that it keeps.

use bytes::BytesMut;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::wire_frame::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, frame};
use crate::close::Close;
use crate::reader::{Incoming, Reader};

const LIMIT: usize = 1000;

/// Reads bytes that come in pieces of a size. Everything has to be read to its end.
fn read(bytes: &[u8], piece: usize) -> Result<Vec<Incoming>, Close> {
    let mut reader = Reader::new(LIMIT, BytesMut::new());
    let mut read = Vec::new();
    for piece in bytes.chunks(piece) {
        let mut incoming = reader.receive(piece)?;
        while let Some(received) = incoming {
            read.push(received);
            incoming = reader.next()?;
        }
    }
    assert!(!reader.is_within_a_message(), "everything was read");
    Ok(read)
}

#[test]
fn messages_are_the_same_however_the_bytes_come() {
    let long = "x".repeat(LIMIT);
    let bytes = [
        frame(FIN | TEXT, "Hällo".as_bytes()),
        frame(TEXT, &"ä".as_bytes()[..1]),
        frame(FIN | PING, b"between"),
        frame(CONTINUATION, &"ä".as_bytes()[1..]),
        frame(FIN | CONTINUATION, b"!"),
        frame(FIN | BINARY, &[0, 255]),
        frame(FIN | TEXT, long.as_bytes()),
        frame(FIN | PONG, b""),
        frame(FIN | TEXT, b""),
        frame(FIN | CLOSE, &[0x03, 0xe8, b'b', b'y', b'e']),
    ];
    let expected = [
        Incoming::Text("Hällo".to_owned()),
        Incoming::Ping(b"between".to_vec()),
        Incoming::Text("ä!".to_owned()),
        Incoming::Binary(vec![0, 255]),
        Incoming::Text(long),
        Incoming::Pong,
        Incoming::Text(String::new()),
        Incoming::Close(Some(CloseCode::Normal)),
    ];
    let bytes = bytes.concat();
    for piece in [1, 2, 3, 7, 64, bytes.len()] {
        assert_eq!(read(&bytes, piece).unwrap(), expected, "in pieces of {piece}");
    }
}

#[test]
fn bytes_of_before_the_reader_and_bytes_that_are_pushed_come_first() {
    let bytes = [frame(FIN | TEXT, b"one"), frame(FIN | TEXT, b"two"), frame(FIN | TEXT, b"three")].concat();
    for cut in 0..bytes.len() {
        let mut reader = Reader::new(LIMIT, BytesMut::from(&bytes[..cut / 2]));
        reader.push(&bytes[cut / 2..cut]);
        let mut texts = Vec::new();
        let mut incoming = reader.receive(&bytes[cut..]);
        while let Some(Incoming::Text(text)) = incoming.unwrap() {
            texts.push(text);
            incoming = reader.next();
        }
        assert_eq!(texts, ["one", "two", "three"], "cut at {cut}");
        assert!(reader.is_empty());
    }
}

#[test]
fn a_reader_that_has_nothing_half_read_is_small_and_a_message_has_its_own_size() {
    assert!(size_of::<Reader>() <= 24);
    let mut reader = Reader::new(LIMIT, BytesMut::new());
    let text = frame(FIN | TEXT, &[b'x'; 64]);
    let Ok(Some(Incoming::Text(read))) = reader.receive(&text) else { panic!("the message came whole") };
    assert_eq!((read.len(), read.capacity()), (64, 64));
    assert!(!reader.is_within_a_message());

    reader.receive(&text[..10]).unwrap();
    assert!(reader.is_within_a_message() && !reader.is_empty());
    reader.receive(&text[10..]).unwrap();
    assert!(!reader.is_within_a_message() && reader.is_empty());
}

#[test]
fn frames_that_break_the_protocol_are_refused() {
    let unmasked = vec![FIN | TEXT, 1, b'a'];
    for (wrong, name) in [
        (unmasked, "unmasked"),
        (frame(FIN | TEXT | 0x40, b"a"), "reserved bit"),
        (frame(FIN | 0x3, b"a"), "reserved opcode"),
        (frame(PING, b"a"), "fragmented ping"),
        (frame(FIN | PING, &[0; 126]), "long ping"),
        (frame(FIN | CONTINUATION, b"a"), "continuation of nothing"),
        ([frame(TEXT, b"a"), frame(FIN | TEXT, b"b")].concat(), "message within a message"),
        (vec![FIN | TEXT, 0xfe, 0x00, 0x01, 0, 0, 0, 0, b'a'], "length in two bytes instead of one"),
        (vec![FIN | TEXT, 0xff, 0, 0, 0, 0, 0, 0, 0, 126, 0, 0, 0, 0], "length in eight bytes instead of two"),
        (frame(FIN | CLOSE, &[3]), "half a close code"),
        (frame(FIN | CLOSE, &[0x03, 0xee]), "1006"),
    ] {
        for piece in [1, wrong.len()] {
            assert!(matches!(read(&wrong, piece), Err(Close::Protocol(_))), "{name} in pieces of {piece}");
        }
    }
}

#[test]
fn text_that_is_not_utf_8_is_refused() {
    for wrong in [
        frame(FIN | TEXT, &[0xff]),
        [frame(TEXT, b"\xc3"), frame(FIN | CONTINUATION, b"a")].concat(),
        frame(FIN | CLOSE, &[0x03, 0xe8, 0xff]),
    ] {
        for piece in [1, wrong.len()] {
            assert!(matches!(read(&wrong, piece), Err(Close::InvalidUtf8)));
        }
    }
}

#[test]
fn the_limit_holds_for_a_message_in_fragments_too() {
    let fits = [frame(BINARY, &[0; LIMIT - 1]), frame(FIN | CONTINUATION, &[0])].concat();
    assert_eq!(read(&fits, 100).unwrap(), [Incoming::Binary(vec![0; LIMIT])]);
    // Refused for its header, before the payload comes.
    let announced = &frame(FIN | BINARY, &[0; LIMIT + 1])[..8];
    assert!(matches!(read(announced, 100), Err(Close::TooLarge(_))));
    let fragments = [frame(BINARY, &[0; LIMIT]), frame(FIN | CONTINUATION, &[0])].concat();
    assert!(matches!(read(&fragments, 100), Err(Close::TooLarge(_))));
}
