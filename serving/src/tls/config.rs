//! The flags of TLS.

use std::path::PathBuf;

use clap::Args;

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
}

impl TlsConfig {
    /// Returns whether the service speaks TLS.
    pub fn is_asked_for(&self) -> bool {
        self.tls_cert.is_some()
    }
}
