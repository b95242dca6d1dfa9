//! Cursors and positions.

use crate::cursor::{Cursor, Epoch, Position};

/// Checks that a text is read as a cursor if and only if digit by digit it is one, and that every cursor is read as it was
/// written. The bytes are the text, and the first 16 of them also the numbers of a cursor.
pub fn cursor(bytes: &[u8]) {
    if let Ok(text) = str::from_utf8(bytes) {
        let cursor = by_digits(text);
        assert_eq!(text.parse().ok(), cursor, "{text:?}");
        let position = match text {
            "now" => Some(Position::Now),
            "earliest" => Some(Position::Earliest),
            _ => cursor.map(Position::At),
        };
        assert_eq!(text.parse().ok(), position, "{text:?}");
        if let Some(cursor) = cursor {
            assert_eq!(cursor.to_string(), shortest(text));
        }
    }
    if let ([first, second, ..], _) = bytes.as_chunks::<8>() {
        let cursor = Cursor { epoch: Epoch::new(u64::from_le_bytes(*first)), offset: u64::from_le_bytes(*second) };
        let text = cursor.to_string();
        assert_eq!(text.parse(), Ok(cursor));
        assert_eq!(by_digits(&text), Some(cursor));
        assert_eq!(serde_json::to_value(cursor).ok(), Some(text.into()));
    }
}

fn by_digits(text: &str) -> Option<Cursor> {
    let mut parts = text.split('-');
    let (epoch, offset, None) = (parts.next()?, parts.next()?, parts.next()) else { return None };
    Some(Cursor { epoch: Epoch::new(number(epoch, 36)?), offset: number(offset, 10)? })
}

fn number(digits: &str, radix: u32) -> Option<u64> {
    let mut sum = None;
    for digit in digits.chars() {
        let value = digit.to_digit(radix).filter(|_| !digit.is_ascii_uppercase())?;
        sum = Some(sum.unwrap_or(0_u64).checked_mul(radix.into())?.checked_add(value.into())?);
    }
    sum
}

/// A cursor's text without the zeros that its numbers begin with.
fn shortest(text: &str) -> String {
    let without_zeros = |digits: &str| match digits.trim_start_matches('0') {
        "" => "0".to_owned(),
        rest => rest.to_owned(),
    };
    text.split('-').map(without_zeros).collect::<Vec<_>>().join("-")
}
