//! A client of the yardstick.

use std::io::{self, ErrorKind, Read, Write};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

/// The role of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Its next request is not complete.
    Asking,
    /// It receives every message in this form.
    Stream(Form),
    /// It waits for an answer.
    Held,
    /// Its frames are sent back.
    Echo,
}

/// The form of messages on a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Event,
    Frame,
}

#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    token: Token,
    pub(super) role: Role,
    /// The index in the list of the connections with the same role.
    pub(super) place: usize,
    /// The bytes that have been read and not been handled.
    pub(super) input: Vec<u8>,
    /// The bytes that the system did not take. Empty as long as the client reads.
    unsent: Vec<u8>,
}

impl Connection {
    pub(super) fn new(mut stream: TcpStream, token: Token, registry: &Registry) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        registry.register(&mut stream, token, Interest::READABLE)?;
        Ok(Self { stream, token, role: Role::Asking, place: 0, input: Vec::new(), unsent: Vec::new() })
    }

    /// Writes at once what the system takes.
    pub(super) fn send(&mut self, bytes: &[u8], registry: &Registry) -> io::Result<()> {
        let mut taken = 0;
        if self.unsent.is_empty() {
            taken = match self.stream.write(bytes) {
                Ok(taken) => taken,
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                Err(error) => return Err(error),
            };
            if taken == bytes.len() {
                return Ok(());
            }
            registry.reregister(&mut self.stream, self.token, Interest::READABLE | Interest::WRITABLE)?;
        }
        self.unsent.extend_from_slice(&bytes[taken..]);
        Ok(())
    }

    /// Writes the rest.
    pub(super) fn flush(&mut self, registry: &Registry) -> io::Result<()> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(taken) => {
                    self.unsent.drain(..taken);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.unsent = Vec::new();
        registry.reregister(&mut self.stream, self.token, Interest::READABLE)
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}
