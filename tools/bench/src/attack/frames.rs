//! Frames of WebSockets: pings, fragments without end, and frames that are too large.

use super::client::Client;
use super::ground::Ground;
use crate::load::frame;

/// The frames of one write.
const AT_ONCE: usize = 500;

/// The longest payload of a ping (RFC 6455, section 5.5).
const PING: usize = 125;

const TEXT: u8 = 1;
const CONTINUATION: u8 = 0;
const PING_CODE: u8 = 9;

/// The bit of a message's last frame.
const LAST: u8 = 0x80;

/// Floods the echo, in turn with pings, with fragments of a message that does not end, and with frames that are too large.
pub(super) async fn flood(ground: &Ground, index: usize) -> anyhow::Result<()> {
    let mut client = Client::connect(ground).await?;
    client.send(&ground.follow("topic=attack")).await?;
    client.status().await?;
    let (first, further) = match index % 3 {
        0 => (Vec::new(), frame(PING_CODE, &[b'x'; PING]).repeat(AT_ONCE)),
        1 => (unfinished(TEXT), unfinished(CONTINUATION).repeat(AT_ONCE)),
        // Its header alone announces more than any message may have.
        _ => (Vec::new(), [&[LAST | TEXT, LAST | 127][..], &[0, 0, 0, 1, 0, 0, 0, 0], &[0; 64]].concat()),
    };
    client.send(&first).await?;
    loop {
        client.send(&further).await?;
        if index.is_multiple_of(3) {
            // Else the pongs that it does not read would hold it up.
            client.read(usize::MAX).await?;
        }
    }
}

/// A frame of one byte that is not the last of its message.
fn unfinished(code: u8) -> Vec<u8> {
    let mut frame = frame(code, b"x");
    frame[0] &= !LAST;
    frame
}
