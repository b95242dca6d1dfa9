//! A page of messages, as `GET /messages` and a long poll answer it.

use std::io::Write;

use shared::cursor::Cursor;
use shared::hub::{Batch, Format};

/// Messages in a page, where the request does not say.
pub const DEFAULT_LIMIT: usize = 100;
/// The most messages in a page.
pub const MAX_LIMIT: usize = 1000;
/// The most bytes of messages in a page; the rest is for the next one.
pub const MAX_BYTES: usize = 4 << 20;

/// The format of each message in a page.
pub static JSON: Format = Format::new(|message| message.to_json().into());

/// `{"messages":[…],"cursor":"…","more":false,"gap":null}` as JSON.
pub fn encode(batch: &Batch, cursor: Cursor) -> Vec<u8> {
    // What is written beside the messages is shorter than this, but for a gap.
    const FRAME: usize = 128;
    let messages: usize = batch.entries.iter().map(|entry| entry.encoded(&JSON).len() + 1).sum();
    let mut json = Vec::with_capacity(FRAME + messages);
    json.extend_from_slice(b"{\"messages\":[");
    for (index, entry) in batch.entries.iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        json.extend_from_slice(&entry.encoded(&JSON));
    }
    write!(json, "],\"cursor\":\"{cursor}\",\"more\":{},\"gap\":", batch.more).expect("memory takes everything");
    serde_json::to_writer(&mut json, &batch.gap).expect("a gap is always valid JSON");
    json.push(b'}');
    json
}
