//! The examples of RFC 6455 and its rules for each kind of frame, byte by byte.

use bytes::BytesMut;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

use super::wire_frame::{BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, frame};
use crate::close::Close;
use crate::frame;
use crate::reader::{Incoming, Reader};

const LIMIT: usize = 64 * 1024;

/// Reads bytes that are received at once.
fn read(bytes: &[u8]) -> Result<Vec<Incoming>, Close> {
    let mut reader = Reader::new(LIMIT, BytesMut::new());
    let mut read = Vec::new();
    let mut incoming = reader.receive(bytes)?;
    while let Some(received) = incoming {
        read.push(received);
        incoming = reader.next()?;
    }
    Ok(read)
}

/// A frame that the service sends.
fn sent(opcode: OpCode, payload: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    frame::put(&mut wire, opcode, &[payload]);
    wire
}

const UNMASKED_HELLO: &[u8] = &[0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
const MASKED_HELLO: &[u8] = &[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
const FRAGMENTED_UNMASKED_HELLO: &[u8] = &[0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f];
const UNMASKED_PING: &[u8] = &[0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
const MASKED_PONG: &[u8] = &[0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
/// The first bytes of a binary message of 256 bytes in one unmasked frame, and of one of 64 KiB.
const UNMASKED_256: &[u8] = &[0x82, 0x7e, 0x01, 0x00];
const UNMASKED_64_KIB: &[u8] = &[0x82, 0x7f, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00];

/// Section 5.7.
#[test]
fn the_examples_of_masked_frames_are_read() {
    assert_eq!(read(MASKED_HELLO).unwrap(), [Incoming::Text("Hello".to_owned())]);
    assert_eq!(read(MASKED_PONG).unwrap(), [Incoming::Pong]);
}

/// Sections 5.1 and 5.7: the unmasked examples are a server's, and from a client each breaks the protocol.
#[test]
fn the_examples_of_unmasked_frames_are_sent_and_not_read() {
    assert_eq!(sent(OpCode::Data(Data::Text), b"Hello"), UNMASKED_HELLO);
    assert_eq!(sent(OpCode::Control(Control::Ping), b"Hello"), UNMASKED_PING);
    for (length, head) in [(256, UNMASKED_256), (64 * 1024, UNMASKED_64_KIB)] {
        let payload = vec![0xab; length];
        assert_eq!(sent(OpCode::Data(Data::Binary), &payload), [head, &payload].concat());
    }
    for example in [UNMASKED_HELLO, FRAGMENTED_UNMASKED_HELLO, UNMASKED_PING, UNMASKED_256, UNMASKED_64_KIB] {
        assert!(matches!(read(example), Err(Close::Protocol(_))), "{example:x?}");
    }
}

/// Section 5.7, the same examples as a client sends them.
#[test]
fn the_unmasked_examples_are_read_once_they_are_masked() {
    let fragmented = [frame(TEXT, b"Hel"), frame(FIN | CONTINUATION, b"lo")].concat();
    assert_eq!(read(&fragmented).unwrap(), [Incoming::Text("Hello".to_owned())]);
    assert_eq!(read(&frame(FIN | PING, b"Hello")).unwrap(), [Incoming::Ping(b"Hello".to_vec())]);
    for length in [256, 64 * 1024] {
        let payload = vec![0xab; length];
        assert_eq!(read(&frame(FIN | BINARY, &payload)).unwrap(), [Incoming::Binary(payload)]);
    }
}

/// Section 5.2: 7 bits, 7 and 16, 7 and 64, and always the shortest of them.
#[test]
fn each_length_has_one_form() {
    for (length, second) in [(0, 0x80), (125, 0xfd), (126, 0xfe), (65_535, 0xfe), (65_536, 0xff)] {
        let payload = vec![7; length];
        let frame = frame(FIN | BINARY, &payload);
        assert_eq!(frame[1], second);
        assert_eq!(read(&frame).unwrap(), [Incoming::Binary(payload)]);
    }
}

/// Sections 5.4 and 5.5: control frames come between the fragments of a message, and data frames do not.
#[test]
fn control_frames_may_come_between_fragments() {
    let between = [
        frame(BINARY, b"a"),
        frame(FIN | PING, b"still there?"),
        frame(CONTINUATION, b""),
        frame(FIN | PONG, b"unasked"),
        frame(FIN | CONTINUATION, b"b"),
    ];
    let expected = [Incoming::Ping(b"still there?".to_vec()), Incoming::Pong, Incoming::Binary(b"ab".to_vec())];
    assert_eq!(read(&between.concat()).unwrap(), expected);
}

/// Section 5.5: at most 125 bytes, and never in fragments.
#[test]
fn control_frames_are_short_and_whole() {
    for opcode in [CLOSE, PING, PONG] {
        let mut payload = vec![b'x'; 125];
        payload[..2].copy_from_slice(&1000_u16.to_be_bytes());
        assert_eq!(read(&frame(FIN | opcode, &payload)).unwrap().len(), 1);
        payload.push(b'x');
        assert!(matches!(read(&frame(FIN | opcode, &payload)), Err(Close::Protocol(_))));
        assert!(matches!(read(&frame(opcode, b"")), Err(Close::Protocol(_))));
    }
}

/// Sections 5.5.1 and 7.4: a close has no payload, or a code that may be sent and a reason in UTF-8.
#[test]
fn a_close_has_a_code_that_a_client_may_send() {
    assert_eq!(read(&frame(FIN | CLOSE, b"")).unwrap(), [Incoming::Close(None)]);
    for code in (1000..=1003).chain(1007..=1014).chain([3000, 3999, 4000, 4999]) {
        let payload = [&u16::to_be_bytes(code)[..], "reason ✓".as_bytes()].concat();
        assert_eq!(read(&frame(FIN | CLOSE, &payload)).unwrap(), [Incoming::Close(Some(CloseCode::from(code)))]);
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535] {
        let refused = read(&frame(FIN | CLOSE, &u16::to_be_bytes(code)));
        assert!(matches!(refused, Err(Close::Protocol(_))), "{code}: {refused:?}");
    }
    assert!(matches!(read(&frame(FIN | CLOSE, &[0x03])), Err(Close::Protocol(_))));
    assert!(matches!(read(&frame(FIN | CLOSE, &[0x03, 0xe8, 0xc3])), Err(Close::InvalidUtf8)));
}

/// Section 5.6: a text is UTF-8 as a whole, and its fragments need not be.
#[test]
fn a_text_is_utf_8_and_a_binary_message_is_anything() {
    let text = "κόσμε".as_bytes();
    for cut in 0..=text.len() {
        let fragments = [frame(TEXT, &text[..cut]), frame(FIN | CONTINUATION, &text[cut..])].concat();
        assert_eq!(read(&fragments).unwrap(), [Incoming::Text("κόσμε".to_owned())], "cut at {cut}");
    }
    // A surrogate, an overlong slash, a character after the last one, and one that is cut off (RFC 3629, section 3).
    for wrong in [&b"\xed\xa0\x80"[..], b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\xce\xba\xce"] {
        assert!(matches!(read(&frame(FIN | TEXT, wrong)), Err(Close::InvalidUtf8)), "{wrong:x?}");
        assert_eq!(read(&frame(FIN | BINARY, wrong)).unwrap(), [Incoming::Binary(wrong.to_vec())]);
    }
}
