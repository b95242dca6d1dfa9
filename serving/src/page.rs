//! A page of messages, as `GET /messages` and a long poll answer it.

use std::io::Write;

use bytes::Bytes;
use shared::cursor::Cursor;
use shared::hub::{Batch, Format};

use crate::reply::Body;

/// The number of messages in a page where the request does not say.
pub const DEFAULT_LIMIT: usize = 100;
/// The largest number of messages in a page.
pub const MAX_LIMIT: usize = 1000;
/// The most bytes of messages in a page; the rest is for the next one.
pub const MAX_BYTES: usize = 4 << 20;

/// The format of each message in a page.
pub static JSON: Format = Format::new(|message| message.to_json().into());

/// Makes the body `{"messages":[…],"cursor":"…","more":false,"gap":null}` of JSON. It shares the bytes of its messages.
pub fn body(batch: &Batch, cursor: Cursor) -> Body {
    let mut body = Body::with_capacity(2 * batch.entries.len() + 2);
    body.push(Bytes::from_static(b"{\"messages\":["));
    for (index, entry) in batch.entries.iter().enumerate() {
        if index > 0 {
            body.push(Bytes::from_static(b","));
        }
        body.push(entry.encoded(&JSON));
    }
    let mut end = Vec::new();
    write!(end, "],\"cursor\":\"{cursor}\",\"more\":{},\"gap\":", batch.more).expect("memory takes everything");
    serde_json::to_writer(&mut end, &batch.gap).expect("a gap is always valid JSON");
    end.push(b'}');
    body.push(end.into());
    body
}
