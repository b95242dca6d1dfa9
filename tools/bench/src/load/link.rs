//! A connection of the generator, which never blocks and counts its bytes.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};

/// How many connections leave from one address: fewer than it has ports.
const A_SOURCE: usize = 20_000;

/// Bytes and requests between clients and server.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wire {
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) requests: u64,
}

#[derive(Debug)]
pub(crate) struct Link {
    stream: TcpStream,
    /// What the system did not take at once. Rarely anything.
    unsent: Vec<u8>,
}

impl Link {
    /// Begins to connect. `index` counts the connections: a server on this machine can be reached from more than one address.
    pub(crate) fn connect(address: SocketAddr, index: usize, registry: &Registry, token: Token) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if index >= A_SOURCE && address.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST) {
            let host = u8::try_from(2 + index / A_SOURCE).map_err(|_| ErrorKind::AddrNotAvailable)?;
            socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 0)).into())?;
        }
        match socket.connect(&address.into()) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock || error.raw_os_error() == Some(EINPROGRESS) => {}
            Err(error) => return Err(error),
        }
        let mut stream = TcpStream::from_std(socket.into());
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { stream, unsent: Vec::new() })
    }

    /// Whether connecting went well, once the socket can be written to.
    pub(crate) fn connected(&self) -> io::Result<()> {
        self.stream.take_error()?.map_or(Ok(()), Err)
    }

    pub(crate) fn send(&mut self, bytes: &[u8], wire: &mut Wire) -> io::Result<()> {
        wire.sent += bytes.len() as u64;
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(bytes);
            return Ok(());
        }
        let taken = match self.stream.write(bytes) {
            Ok(taken) => taken,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        if taken < bytes.len() {
            self.unsent.extend_from_slice(&bytes[taken..]);
            return self.flush();
        }
        Ok(())
    }

    /// Sends what was left, as far as the system takes it.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(taken) => {
                    self.unsent.drain(..taken);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads once. `None`: there is nothing now.
    pub(crate) fn read(&mut self, buffer: &mut [u8], wire: &mut Wire) -> io::Result<Option<usize>> {
        match self.stream.read(buffer) {
            Ok(count) => {
                wire.received += count as u64;
                Ok(Some(count))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// What Linux says of a connection that does not block and is under way.
const EINPROGRESS: i32 = 115;
