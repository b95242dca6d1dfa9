//! A client of the yardstick.

use std::io::{self, ErrorKind, Read, Write};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

/// What a connection has become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Its next request has not come whole.
    Asking,
    /// It gets every message in this form.
    Stream(Form),
    /// It waits for an answer.
    Held,
    /// What it sends is sent back.
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
    /// The place in the list of those with the same role.
    pub(super) place: usize,
    /// What has come and is not dealt with.
    pub(super) input: Vec<u8>,
    /// What the system did not take. Empty where clients read.
    unsent: Vec<u8>,
}

impl Connection {
    pub(super) fn new(mut stream: TcpStream, token: Token, registry: &Registry) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        registry.register(&mut stream, token, Interest::READABLE)?;
        Ok(Self { stream, token, role: Role::Asking, place: 0, input: Vec::new(), unsent: Vec::new() })
    }

    /// Writes, once if the system takes it all.
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

    /// Writes what was left.
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
