//! The records of one connection, apart from the network: what comes is opened, and what goes is sealed.

use std::io;

use bytes::BytesMut;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus};

use crate::metrics::{Handshake, HandshakeResult};

/// The most bytes of text in a record (RFC 8446, section 5.1).
pub(crate) const TEXT: usize = 16 * 1024;

/// Room for a record, whose expansion is at most 256 bytes, and 2,048 in TLS 1.2.
pub(crate) const RECORD: usize = TEXT + 2_048 + 5;

/// HTTP/2 as a client's offer names it (RFC 7301).
pub(crate) const HTTP_2: &[u8] = b"h2";

/// The server's side of TLS on one connection.
pub(crate) struct Records {
    tls: UnbufferedServerConnection,
    /// The beginning of a record of which more is to come.
    unopened: Vec<u8>,
    /// The client has broken the protocol. rustls counts on bytes that are gone since, so it is asked nothing any more.
    is_broken: bool,
    handshake: Handshake,
}

impl Records {
    pub(super) fn new(tls: UnbufferedServerConnection, handshake: Handshake) -> Self {
        Self { tls, unopened: Vec::new(), is_broken: false, handshake }
    }

    /// Returns whether the client has chosen HTTP/2.
    pub(crate) fn speaks_http2(&self) -> bool {
        self.tls.alpn_protocol() == Some(HTTP_2)
    }

    /// Counts the client as one that does not speak TLS.
    pub(crate) fn refuse(&mut self) {
        self.handshake.end(HandshakeResult::PlainText);
    }

    /// The number of bytes that are kept of a record which has not come whole.
    pub(crate) fn kept(&self) -> usize {
        self.unopened.len()
    }

    /// Opens the records that have come, and keeps the rest. `received` begins with [`Records::kept`] bytes of room, for what was
    /// kept before. Adds the texts to `opened`, and what the protocol answers to `answers`. Returns whether the client has closed its
    /// side.
    ///
    /// # Errors
    /// When the client breaks the protocol. An alert that says so is in `answers`.
    pub(crate) fn open(
        &mut self,
        received: &mut [u8],
        opened: &mut BytesMut,
        answers: &mut Vec<u8>,
    ) -> io::Result<bool> {
        received[..self.unopened.len()].copy_from_slice(&self.unopened);
        self.unopened = Vec::new();
        let (mut done, mut has_ended) = (0, false);
        loop {
            let UnbufferedStatus { mut discard, state } = self.tls.process_tls_records(&mut received[done..]);
            match state {
                Ok(ConnectionState::ReadTraffic(mut read)) => {
                    while let Some(record) = read.next_record() {
                        let record = record.map_err(broken)?;
                        opened.extend_from_slice(record.payload);
                        discard += record.discard;
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut encode)) => put_encoded(answers, |room| encode.encode(room))?,
                Ok(ConnectionState::TransmitTlsData(transmit)) => transmit.done(),
                Ok(ConnectionState::PeerClosed) => has_ended = true,
                Ok(_) => {
                    if !self.tls.is_handshaking() {
                        self.handshake.end(HandshakeResult::Completed);
                    }
                    self.unopened = received[done + discard..].to_vec();
                    return Ok(has_ended);
                }
                Err(error) => {
                    self.is_broken = true;
                    self.handshake.end(HandshakeResult::Failed);
                    self.put_alert(&mut received[done + discard..], answers)?;
                    return Err(broken(error));
                }
            }
            done += discard;
        }
    }

    /// Adds to `into` the alert after a mistake, of which `rest` are the bytes that were not used.
    fn put_alert(&mut self, rest: &mut [u8], into: &mut Vec<u8>) -> io::Result<()> {
        // Once: what was left to send comes first, and asking for more would read the mistake again.
        match self.tls.process_tls_records(rest).state {
            Ok(ConnectionState::EncodeTlsData(mut alert)) => put_encoded(into, |room| alert.encode(room)),
            _ => Ok(()),
        }
    }

    /// Encrypts a text, which is not longer than [`TEXT`], and adds the record to `into`.
    ///
    /// # Errors
    /// When the handshake is not done, or this side has said that nothing more comes.
    pub(crate) fn seal(&mut self, text: &[u8], into: &mut Vec<u8>) -> io::Result<()> {
        if self.is_broken {
            return Err(io::ErrorKind::NotConnected.into());
        }
        loop {
            match self.tls.process_tls_records(&mut self.unopened).state.map_err(broken)? {
                ConnectionState::WriteTraffic(mut write) => {
                    return put_encrypted(into, text.len() + 512, |room| write.encrypt(text, room));
                }
                ConnectionState::EncodeTlsData(mut encode) => put_encoded(into, |room| encode.encode(room))?,
                ConnectionState::TransmitTlsData(transmit) => transmit.done(),
                _ => return Err(io::ErrorKind::NotConnected.into()),
            }
        }
    }

    /// Adds to `into` the alert that says that nothing more comes. There is none before the handshake is done.
    pub(crate) fn put_farewell(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        while !self.is_broken
            && let Ok(state) = self.tls.process_tls_records(&mut self.unopened).state
        {
            match state {
                ConnectionState::WriteTraffic(mut write) => {
                    return put_encrypted(into, 64, |room| write.queue_close_notify(room));
                }
                ConnectionState::EncodeTlsData(mut encode) => put_encoded(into, |room| encode.encode(room))?,
                ConnectionState::TransmitTlsData(transmit) => transmit.done(),
                ConnectionState::PeerClosed => {}
                _ => break,
            }
        }
        Ok(())
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
            EncodeError::InsufficientSize(InsufficientSizeError { required_size }) => Some(required_size),
            EncodeError::AlreadyEncoded => None,
        })
    })
}

fn put_encrypted(
    into: &mut Vec<u8>,
    room: usize,
    mut encrypt: impl FnMut(&mut [u8]) -> Result<usize, EncryptError>,
) -> io::Result<()> {
    put(into, room, |room| {
        encrypt(room).map_err(|error| match error {
            EncryptError::InsufficientSize(InsufficientSizeError { required_size }) => Some(required_size),
            EncryptError::EncryptExhausted => None,
        })
    })
}
