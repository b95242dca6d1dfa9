//! Formats whose messages show their offset.

use shared::cursor::Cursor;
use shared::hub::Format;

use crate::hub::JSON;

static LINE: Format = Format::new(|message| format!("{}\n", message.id.offset).into());

/// Returns the offsets of messages in a format.
pub(super) type Decode = fn(&[u8]) -> Vec<u64>;

/// Formats, and the reverse of each.
pub(super) const FORMATS: [(&Format, Decode); 2] = [(&JSON, offsets_of_json), (&LINE, offsets_of_lines)];

fn offsets_of_json(bytes: &[u8]) -> Vec<u64> {
    let offset_of = |message: serde_json::Result<serde_json::Value>| {
        let cursor: Cursor = message.unwrap()["id"].as_str().unwrap().parse().unwrap();
        cursor.offset
    };
    serde_json::Deserializer::from_slice(bytes).into_iter().map(offset_of).collect()
}

fn offsets_of_lines(bytes: &[u8]) -> Vec<u64> {
    std::str::from_utf8(bytes).unwrap().lines().map(|line| line.parse().unwrap()).collect()
}
