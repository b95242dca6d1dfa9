//! The flags of TLS.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// TLS.
#[derive(Debug, Clone, Default, Args)]
pub struct TlsConfig {
    /// A file with the certificate of the service, and those that lead from it to an authority, PEM: everything on --listen is TLS then.
    /// Read again when it changes, and on SIGHUP
    #[arg(long, env = "PUSH_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// A file with the private key of --tls-cert, PEM
    #[arg(long, env = "PUSH_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Speak HTTP/2 over TLS with clients that can. Over it, a browser's page has up to 100 streams on one connection, which costs more
    /// memory than one stream over HTTP/1.1
    #[arg(long, env = "PUSH_HTTP2", value_name = "on|off", default_value = "on", hide_possible_values = true)]
    pub http2: Http2,
}

/// The choice of HTTP/2 beside HTTP/1.1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Http2 {
    /// With clients that can.
    #[default]
    On,
    /// With nobody.
    Off,
}

impl TlsConfig {
    /// Returns whether the service speaks TLS.
    pub fn is_asked_for(&self) -> bool {
        self.tls_cert.is_some()
    }
}
