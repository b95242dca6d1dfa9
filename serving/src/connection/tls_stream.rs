//! A connection that speaks TLS.
//!
//! Bytes are encrypted and decrypted in buffers of the thread, so a connection that waits has none. What a client sends in one piece with
//! bytes that are not wanted yet is kept decrypted, and the rest of a record that has not come whole, encrypted.
//!
//! A record that the client does not take at once is kept encrypted. As long as it is not sent whole, writing is pending, and whoever writes
//! tries again with the same bytes: so at most one record is held for a client that does not read, whatever waits to be written.
//!
//! The answer to a `KeyUpdate` goes before the next record that is written (RFC 8446, section 4.6.3), so a flood of them is answered once.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, IoSlice};
use std::sync::LazyLock;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::ReadBuf;
use tokio::net::TcpStream;

use super::carrier::Carrier;
use crate::error::ApiError;
use crate::tls::{RECORD, Records, TEXT};

/// The buffers of a thread.
struct Buffers {
    /// The bytes that the client has sent: the rest of a record, and what was read behind it.
    received: Box<[u8]>,
    /// Parts that are to be encrypted together.
    text: Vec<u8>,
    /// Records to be sent.
    sealed: Vec<u8>,
}

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::new(Buffers {
        received: vec![0; 2 * RECORD].into(),
        text: Vec::with_capacity(TEXT),
        sealed: Vec::with_capacity(RECORD),
    });
}

/// The answer, in the clear, to a client that does not speak TLS.
static IN_THE_CLEAR: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let reply = ApiError::TlsRequired.reply();
    let (length, body) = (reply.body_bytes(), reply.body.concat());
    let head = format!(
        "HTTP/1.1 {}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n",
        reply.status
    );
    [head.into_bytes(), body].concat()
});

/// A connection that speaks TLS.
pub(crate) struct TlsStream {
    carrier: Carrier,
    records: Records,
    /// Text of the client that nobody has read yet.
    opened: BytesMut,
    /// Records that are not sent yet.
    unsent: Vec<u8>,
    /// The bytes of a writer that are in `unsent`, to be reported once that is empty.
    sealed: usize,
    incoming: Incoming,
    /// The client has been sent the alert that nothing more comes.
    is_closing: bool,
}

/// The bytes that the client sends from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Incoming {
    /// The first ones, which show whether it speaks TLS.
    First,
    /// Records.
    Records,
    /// A request in the clear, which has its answer. The rest of it is passed over, since closing a socket with unread bytes resets it.
    Refused,
    /// None that count.
    Ended,
}

impl TlsStream {
    pub(crate) fn new(carrier: Carrier, records: Records) -> Self {
        Self {
            carrier,
            records,
            opened: BytesMut::new(),
            unsent: Vec::new(),
            sealed: 0,
            incoming: Incoming::First,
            is_closing: false,
        }
    }

    /// The socket, if there is one.
    pub(super) fn tcp(&self) -> Option<&TcpStream> {
        self.carrier.tcp()
    }

    /// Returns whether the client has chosen HTTP/2 (RFC 7301).
    pub(super) fn speaks_http2(&self) -> bool {
        self.records.speaks_http2()
    }

    /// Waits until reading may find something.
    pub(super) fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.incoming == Incoming::Ended || !self.opened.is_empty() {
            return Poll::Ready(());
        }
        if self.sealed == 0 && matches!(self.poll_flush(cx), Poll::Ready(Err(_))) {
            // Found by whoever reads.
            return Poll::Ready(());
        }
        self.carrier.poll_readable(cx)
    }

    /// Reads text of the client.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.opened.is_empty() && self.incoming != Incoming::Ended {
            ready!(self.poll_receive(cx))?;
        }
        let count = self.opened.len().min(buf.remaining());
        buf.put_slice(&self.opened[..count]);
        self.opened.advance(count);
        if self.opened.is_empty() {
            self.opened = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Reads from the network once, and takes what has come.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        BUFFERS.with_borrow_mut(|Buffers { received, sealed, .. }| {
            let kept = self.records.kept();
            let room = received.get_mut(kept..).filter(|room| !room.is_empty());
            let too_large = || io::Error::new(io::ErrorKind::InvalidData, "the handshake is too large");
            let mut room = ReadBuf::new(room.ok_or_else(too_large)?);
            ready!(self.carrier.poll_read(cx, &mut room))?;
            let count = room.filled().len();
            if count == 0 {
                self.incoming = Incoming::Ended;
                return Poll::Ready(Ok(()));
            }
            let received = &mut received[..kept + count];
            if self.incoming == Incoming::First {
                // No record begins with a letter, and every request of HTTP does.
                let is_clear = received[0].is_ascii_alphabetic();
                self.incoming = if is_clear { Incoming::Refused } else { Incoming::Records };
                if is_clear {
                    return Poll::Ready(self.refuse(cx));
                }
            }
            if self.incoming == Incoming::Refused {
                return Poll::Ready(Ok(()));
            }
            sealed.clear();
            let outcome = self.records.open(received, &mut self.opened, sealed);
            if !matches!(outcome, Ok(false)) {
                self.incoming = Incoming::Ended;
            }
            self.send_or_keep(cx, sealed)?;
            Poll::Ready(outcome.map(drop))
        })
    }

    /// Answers a request in the clear.
    fn refuse(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        self.records.refuse();
        self.send_or_keep(cx, &IN_THE_CLEAR)?;
        match self.poll_shutdown(cx) {
            Poll::Ready(result) => result,
            Poll::Pending => Ok(()),
        }
    }

    /// Writes the parts as far as they fit into a record, and returns how much of them is sent.
    pub(super) fn poll_write_parts(&mut self, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.sealed == 0 {
            if parts.iter().all(|part| part.is_empty()) {
                return Poll::Ready(Ok(0));
            }
            self.sealed = BUFFERS.with_borrow_mut(|Buffers { text, sealed, .. }| {
                text.clear();
                for part in parts {
                    text.extend_from_slice(&part[..part.len().min(TEXT - text.len())]);
                }
                sealed.clear();
                self.records.seal(text, sealed)?;
                self.send_or_keep(cx, sealed)?;
                io::Result::Ok(text.len())
            })?;
        }
        ready!(self.poll_flush(cx))?;
        Poll::Ready(Ok(std::mem::take(&mut self.sealed)))
    }

    /// Sends records behind those that wait, and keeps what is not taken.
    fn send_or_keep(&mut self, cx: &mut Context<'_>, records: &[u8]) -> io::Result<()> {
        let mut sent = 0;
        while self.unsent.is_empty() && sent < records.len() {
            match self.carrier.poll_write(cx, &records[sent..]) {
                Poll::Ready(count) => sent += count?,
                Poll::Pending => break,
            }
        }
        self.unsent.extend_from_slice(&records[sent..]);
        Ok(())
    }

    /// Waits until every record is sent.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let count = ready!(self.carrier.poll_write(cx, &self.unsent))?;
            self.unsent.drain(..count);
        }
        self.unsent = Vec::new();
        Poll::Ready(Ok(()))
    }

    /// Tells the client that nothing more comes, and closes this side.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_closing {
            self.is_closing = true;
            self.records.put_farewell(&mut self.unsent)?;
        }
        ready!(self.poll_flush(cx))?;
        self.carrier.poll_shutdown(cx)
    }
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream")
            .field("carrier", &self.carrier)
            .field("incoming", &self.incoming)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
