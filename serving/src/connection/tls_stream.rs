//! A TCP connection that speaks TLS.
//!
//! Bytes are encrypted and decrypted in buffers of the thread, so a connection that waits has none. What a client sends in one piece with
//! bytes that are not wanted yet is kept decrypted, and the rest of a record that has not come whole, encrypted.
//!
//! A record that the client does not take at once is kept encrypted. As long as it is not sent whole, writing is pending, and whoever writes
//! tries again with the same bytes: so at most one record is held for a client that does not read, whatever waits to be written.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::error::ApiError;
use crate::tls::HTTP_2;

/// The most bytes of text in a record (RFC 8446, section 5.1).
const TEXT: usize = 16 * 1024;

/// Room for a record, whose expansion is at most 256 bytes, and 2,048 in TLS 1.2.
const RECORD: usize = TEXT + 2_048 + 5;

/// The buffers of a thread.
struct Buffers {
    /// What the client has sent: the rest of a record, and what was read behind it.
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

/// A TCP connection that speaks TLS.
pub(crate) struct TlsStream {
    tcp: TcpStream,
    tls: UnbufferedServerConnection,
    /// The beginning of a record of which more is to come.
    unopened: Vec<u8>,
    /// Text of the client that nobody has read yet.
    opened: BytesMut,
    /// Records that are not sent yet.
    unsent: Vec<u8>,
    /// The bytes of a writer that are in `unsent`, to be reported once that is empty.
    sealed: usize,
    /// Nothing has come yet.
    is_new: bool,
    /// The client has closed its side, or is not read any more.
    has_ended: bool,
    /// The client was told that nothing more comes.
    is_closing: bool,
}

impl TlsStream {
    pub(crate) fn new(tcp: TcpStream, tls: UnbufferedServerConnection) -> Self {
        Self {
            tcp,
            tls,
            unopened: Vec::new(),
            opened: BytesMut::new(),
            unsent: Vec::new(),
            sealed: 0,
            is_new: true,
            has_ended: false,
            is_closing: false,
        }
    }

    pub(super) fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// Returns whether the client has chosen HTTP/2 (RFC 7301).
    pub(super) fn speaks_http2(&self) -> bool {
        self.tls.alpn_protocol() == Some(HTTP_2)
    }

    /// Waits until reading may find something.
    pub(super) fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_ended || !self.opened.is_empty() {
            return Poll::Ready(());
        }
        if self.sealed == 0 && matches!(self.poll_send(cx), Poll::Ready(Err(_))) {
            // Found by whoever reads.
            return Poll::Ready(());
        }
        self.tcp.poll_read_ready(cx).map(drop)
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
                self.seal(text, sealed)?;
                self.send_or_keep(cx, sealed)?;
                io::Result::Ok(text.len())
            })?;
        }
        ready!(self.poll_send(cx))?;
        Poll::Ready(Ok(std::mem::take(&mut self.sealed)))
    }

    /// Encrypts a text, and adds the record to `into`.
    fn seal(&mut self, text: &[u8], into: &mut Vec<u8>) -> io::Result<()> {
        loop {
            match self.tls.process_tls_records(&mut self.unopened).state.map_err(broken)? {
                ConnectionState::WriteTraffic(mut write) => {
                    return put(into, text.len() + 512, |room| {
                        write.encrypt(text, room).map_err(|error| match error {
                            EncryptError::InsufficientSize(InsufficientSizeError { required_size }) => {
                                Some(required_size)
                            }
                            EncryptError::EncryptExhausted => None,
                        })
                    });
                }
                ConnectionState::EncodeTlsData(mut encode) => put_encoded(into, |room| encode.encode(room))?,
                ConnectionState::TransmitTlsData(transmit) => transmit.done(),
                _ => return Err(io::ErrorKind::NotConnected.into()),
            }
        }
    }

    /// Sends records behind those that wait, and keeps what is not taken.
    fn send_or_keep(&mut self, cx: &mut Context<'_>, records: &[u8]) -> io::Result<()> {
        let mut sent = 0;
        while self.unsent.is_empty() && sent < records.len() {
            match Pin::new(&mut self.tcp).poll_write(cx, &records[sent..]) {
                Poll::Ready(count) => sent += count?,
                Poll::Pending => break,
            }
        }
        self.unsent.extend_from_slice(&records[sent..]);
        Ok(())
    }

    /// Waits until every record is sent.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let count = ready!(Pin::new(&mut self.tcp).poll_write(cx, &self.unsent))?;
            self.unsent.drain(..count);
        }
        self.unsent = Vec::new();
        Poll::Ready(Ok(()))
    }

    /// Reads from the network once, and takes what has come.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        BUFFERS.with_borrow_mut(|Buffers { received, sealed, .. }| {
            let kept = self.unopened.len();
            let room = received.get_mut(kept..).filter(|room| !room.is_empty());
            let mut room = ReadBuf::new(room.ok_or_else(|| broken("the handshake is too large"))?);
            ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut room))?;
            let count = room.filled().len();
            if count == 0 {
                self.has_ended = true;
                return Poll::Ready(Ok(()));
            }
            received[..kept].copy_from_slice(&self.unopened);
            self.unopened = Vec::new();
            let received = &mut received[..kept + count];
            if std::mem::take(&mut self.is_new) && received[0].is_ascii_alphabetic() {
                // No record begins with a letter, and every request of HTTP does.
                self.has_ended = true;
                return Poll::Ready(self.send_or_keep(cx, &IN_THE_CLEAR));
            }
            sealed.clear();
            let outcome = self.open(received, sealed);
            self.send_or_keep(cx, sealed)?;
            self.unopened = received[outcome?..].to_vec();
            Poll::Ready(Ok(()))
        })
    }

    /// Takes the records in `received`, adds the answers of the protocol to `answers`, and returns the number of bytes that are done
    /// with. An error is answered by an alert.
    fn open(&mut self, received: &mut [u8], answers: &mut Vec<u8>) -> io::Result<usize> {
        let mut done = 0;
        loop {
            let UnbufferedStatus { mut discard, state } = self.tls.process_tls_records(&mut received[done..]);
            match state {
                Ok(ConnectionState::ReadTraffic(mut read)) => {
                    while let Some(record) = read.next_record() {
                        let record = record.map_err(broken)?;
                        self.opened.extend_from_slice(record.payload);
                        discard += record.discard;
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut encode)) => put_encoded(answers, |room| encode.encode(room))?,
                Ok(ConnectionState::TransmitTlsData(transmit)) => transmit.done(),
                Ok(ConnectionState::PeerClosed) => self.has_ended = true,
                Ok(_) => return Ok(done + discard),
                Err(error) => {
                    self.has_ended = true;
                    while let Ok(ConnectionState::EncodeTlsData(mut alert)) =
                        self.tls.process_tls_records(&mut []).state
                    {
                        put_encoded(answers, |room| alert.encode(room))?;
                    }
                    return Err(broken(error));
                }
            }
            done += discard;
        }
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.opened.is_empty() && !this.has_ended {
            ready!(this.poll_receive(cx))?;
        }
        let count = this.opened.len().min(buf.remaining());
        buf.put_slice(&this.opened[..count]);
        this.opened.advance(count);
        if this.opened.is_empty() {
            this.opened = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl TlsStream {
    /// Tells the client that nothing more comes, and closes this side.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_closing {
            self.is_closing = true;
            // A handshake that is not done needs no farewell.
            while let Ok(state) = self.tls.process_tls_records(&mut self.unopened).state {
                match state {
                    ConnectionState::WriteTraffic(mut write) => {
                        put(&mut self.unsent, 64, |room| {
                            write.queue_close_notify(room).map_err(|error| match error {
                                EncryptError::InsufficientSize(error) => Some(error.required_size),
                                EncryptError::EncryptExhausted => None,
                            })
                        })?;
                        break;
                    }
                    ConnectionState::EncodeTlsData(mut encode) => {
                        put_encoded(&mut self.unsent, |room| encode.encode(room))?
                    }
                    ConnectionState::TransmitTlsData(transmit) => transmit.done(),
                    ConnectionState::PeerClosed => {}
                    _ => break,
                }
            }
        }
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream").field("tcp", &self.tcp).finish_non_exhaustive()
    }
}

fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Adds to `into` what `write` writes into a room of so many bytes at first, or of as many as it asks for.
fn put(
    into: &mut Vec<u8>,
    mut room: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>,
) -> io::Result<()> {
    let before = into.len();
    loop {
        into.resize(before + room, 0);
        match write(&mut into[before..]) {
            Ok(count) => {
                into.truncate(before + count);
                return Ok(());
            }
            Err(Some(required)) if required > room => room = required,
            Err(_) => return Err(broken("too much was encrypted with one key")),
        }
    }
}

fn put_encoded(into: &mut Vec<u8>, mut encode: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>) -> io::Result<()> {
    put(into, 1_024, |room| {
        encode(room).map_err(|error| match error {
            EncodeError::InsufficientSize(error) => Some(error.required_size),
            EncodeError::AlreadyEncoded => None,
        })
    })
}
