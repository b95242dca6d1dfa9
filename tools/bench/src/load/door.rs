//! The way into a server: in the clear or by TLS, with a token or without.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// The way by which honest clients of a measurement come to a server.
#[derive(Debug, Clone, Default)]
pub struct Door {
    /// Absent where everything is in the clear.
    pub tls: Option<Arc<ClientConfig>>,
    /// Absent where the server is open.
    pub token: Option<String>,
}

/// A connection that blocks.
pub(crate) trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

impl Door {
    /// Connects. Each read takes at most `patience`.
    pub(crate) fn connect(&self, address: SocketAddr, patience: Duration) -> io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect_timeout(&address, patience)?;
        stream.set_read_timeout(Some(patience))?;
        let Some(config) = &self.tls else { return Ok(Box::new(stream)) };
        let name = ServerName::IpAddress(address.ip().into());
        let session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        Ok(Box::new(StreamOwned::new(session, stream)))
    }

    /// The lines of headers that every request begins with.
    pub(crate) fn headers(&self, host: &str) -> String {
        let token = self.token.as_ref().map(|token| format!("Authorization: Bearer {token}\r\n"));
        format!("Host: {host}\r\n{}", token.unwrap_or_default())
    }
}
