//! A connection of the load generator, which never blocks and counts its bytes.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};

use super::door::Door;
use super::tls_session::TlsSession;

/// The number of connections from one address: fewer than it has ports.
const A_SOURCE: usize = 20_000;

/// Bytes and requests between clients and server, before TLS.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wire {
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) requests: u64,
}

#[derive(Debug)]
pub(crate) struct Link {
    stream: TcpStream,
    /// The bytes that the system did not take at once. Rarely any.
    unsent: Vec<u8>,
    /// Absent in the clear.
    tls: Option<Box<TlsSession>>,
}

impl Link {
    /// Begins to connect. `index` counts the connections: a server on this machine is reached from several addresses if
    /// there are many.
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
        Ok(Self { stream, unsent: Vec::new(), tls: None })
    }

    /// Speaks as the door asks for.
    pub(crate) fn through(self, door: &Door, address: SocketAddr) -> io::Result<Self> {
        let tls = match &door.tls {
            Some(config) => Some(Box::new(TlsSession::new(config, address)?)),
            None => None,
        };
        Ok(Self { tls, ..self })
    }

    /// Returns the error of a failed connect, once the socket can be written to.
    pub(crate) fn connected(&self) -> io::Result<()> {
        self.stream.take_error()?.map_or(Ok(()), Err)
    }

    pub(crate) fn send(&mut self, bytes: &[u8], wire: &mut Wire) -> io::Result<()> {
        wire.sent += bytes.len() as u64;
        if let Some(tls) = &mut self.tls {
            return tls.send(bytes, &mut self.stream);
        }
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

    /// Sends the rest, as far as the system takes it.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            return tls.flush(&mut self.stream);
        }
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

    /// Reads once. Returns `None` if there is nothing to read.
    pub(crate) fn read(&mut self, buffer: &mut [u8], wire: &mut Wire) -> io::Result<Option<usize>> {
        let read = match &mut self.tls {
            Some(tls) => tls.read(buffer, &mut self.stream)?,
            None => match self.stream.read(buffer) {
                Ok(count) => Some(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => None,
                Err(error) => return Err(error),
            },
        };
        wire.received += read.unwrap_or_default() as u64;
        Ok(read)
    }
}

/// Linux's error code for a connect that is in progress.
const EINPROGRESS: i32 = 115;

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn more_connections_than_an_address_has_ports_leave_from_several() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let poll = mio::Poll::new().unwrap();
        let mut sources = Vec::new();
        for index in [0, A_SOURCE - 1, A_SOURCE, 3 * A_SOURCE] {
            let _link = Link::connect(address, index, poll.registry(), Token(index)).unwrap();
            sources.push(listener.accept().unwrap().1.ip().to_string());
        }
        assert_eq!(sources, ["127.0.0.1", "127.0.0.1", "127.0.0.3", "127.0.0.5"]);
    }

    #[test]
    fn what_the_system_does_not_take_at_once_is_sent_later() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let poll = mio::Poll::new().unwrap();
        let mut link = Link::connect(listener.local_addr().unwrap(), 0, poll.registry(), Token(0)).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let bytes: Vec<u8> = (0..16 << 20).map(|index: u32| index as u8).collect();
        let mut wire = Wire::default();
        let (first, second) = bytes.split_at(8 << 20);
        link.send(first, &mut wire).unwrap();
        link.send(second, &mut wire).unwrap();
        assert!(!link.unsent.is_empty());
        let reader = std::thread::spawn(move || {
            let mut received = vec![0; 16 << 20];
            server.read_exact(&mut received).map(|()| received)
        });
        while !link.unsent.is_empty() {
            link.flush().unwrap();
        }
        assert!(reader.join().unwrap().unwrap() == bytes);
        assert_eq!(wire.sent, 16 << 20);
    }
}
