//! The TLS of a connection that never blocks.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

#[derive(Debug)]
pub(super) struct TlsSession(ClientConnection);

impl TlsSession {
    pub(super) fn new(config: &Arc<ClientConfig>, address: SocketAddr) -> io::Result<Self> {
        let name = ServerName::IpAddress(address.ip().into());
        let mut session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        // As in the clear, whatever the system does not take at once waits here.
        session.set_buffer_limit(None);
        Ok(Self(session))
    }

    /// Sends bytes, as far as the handshake and the system let it.
    pub(super) fn send(&mut self, bytes: &[u8], stream: &mut TcpStream) -> io::Result<()> {
        self.0.writer().write_all(bytes)?;
        self.flush(stream)
    }

    pub(super) fn flush(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        while self.0.wants_write() {
            match self.0.write_tls(stream) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads until the buffer is full or the socket is empty. Returns `None` if there is nothing to read, and zero at the end.
    pub(super) fn read(&mut self, buffer: &mut [u8], stream: &mut TcpStream) -> io::Result<Option<usize>> {
        let (mut taken, mut has_ended) = (0, false);
        while taken < buffer.len() && !has_ended {
            match self.0.reader().read(&mut buffer[taken..]) {
                Ok(0) => has_ended = true,
                Ok(count) => taken += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => match self.0.read_tls(stream) {
                    Ok(0) => has_ended = true,
                    Ok(_) => {
                        self.0.process_new_packets().map_err(io::Error::other)?;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                },
                Err(error) => return Err(error),
            }
        }
        // An answer to the handshake.
        self.flush(stream)?;
        Ok(if taken == 0 && !has_ended { None } else { Some(taken) })
    }
}
