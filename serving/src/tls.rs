//! TLS: `--tls-cert`, `--tls-key`.
//!
//! The cryptography is *ring*'s. `records` has what a connection keeps of it, and `connection::tls_stream` sends and receives that.

mod certificate;
mod config;
mod not_after;
mod records;

use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{NoServerSessionStorage, UnbufferedServerConnection};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, info};

use crate::metrics::{Handshake, Handshakes};
use certificate::Certificate;
pub use certificate::CertificateError;
pub use config::{Http2, TlsConfig};
use records::HTTP_2;
pub(crate) use records::{RECORD, Records, TEXT};

/// HTTP/1.1 as a client's offer names it (RFC 7301).
const HTTP_1_1: &[u8] = b"http/1.1";

/// The interval at which the files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// The parts of TLS that all connections share.
#[derive(Debug)]
pub(crate) struct Tls {
    certificate: Arc<Certificate>,
    server: Arc<ServerConfig>,
    handshakes: Arc<Handshakes>,
}

/// Has libraries that take the cryptography which the process has chosen, such as reqwest, take *ring*'s.
pub(crate) fn use_ring() {
    // An error means that the process has chosen.
    let _ = ring::default_provider().install_default();
}

/// The reason why a service cannot speak TLS as its flags ask for.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// See [`CertificateError`].
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The library refuses its settings.
    #[error("TLS cannot be set up")]
    Settings(#[source] rustls::Error),
}

impl Tls {
    /// Returns the TLS that the flags ask for; `None` for a service in the clear.
    pub(crate) fn new(config: &TlsConfig, handshakes: &Arc<Handshakes>) -> Result<Option<Self>, TlsError> {
        let (Some(chain), Some(key)) = (&config.tls_cert, &config.tls_key) else { return Ok(None) };
        let certificate = Arc::new(Certificate::read(chain, key)?);
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(TlsError::Settings)?;
        let mut server = builder.with_no_client_auth().with_cert_resolver(Arc::clone(&certificate) as Arc<_>);
        server.alpn_protocols = match config.http2 {
            Http2::On => vec![HTTP_2.to_vec(), HTTP_1_1.to_vec()],
            Http2::Off => vec![HTTP_1_1.to_vec()],
        };
        // A client that comes back brings its session along, so that none is kept here.
        server.ticketer = ring::Ticketer::new().map_err(TlsError::Settings)?;
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 1;
        Ok(Some(Self { certificate, server: Arc::new(server), handshakes: Arc::clone(handshakes) }))
    }

    /// Begins the server's side of a connection.
    pub(crate) fn begin(&self) -> Result<Records, rustls::Error> {
        let tls = UnbufferedServerConnection::new(Arc::clone(&self.server))?;
        Ok(Records::new(tls, Handshake::begin(&self.handshakes)))
    }

    /// The time at which the certificate ends that clients are shown, in seconds since the Unix epoch.
    pub(crate) fn certificate_expires(&self) -> i64 {
        self.certificate.expires()
    }

    /// Reads the certificate and key again when their files have changed, and on SIGHUP. Connections stay as they are. Never ends.
    pub(crate) async fn run(&self) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut hangups = signal(SignalKind::hangup()).ok();
        loop {
            let hangup = async {
                match &mut hangups {
                    Some(hangups) => hangups.recv().await,
                    None => std::future::pending().await,
                }
            };
            let is_asked = tokio::select! {
                _ = looks.tick() => false,
                _ = hangup => true,
            };
            match self.certificate.read_again(is_asked) {
                Ok(true) if is_asked => info!("SIGHUP: the certificate and key of TLS are read again"),
                Ok(true) => info!("the certificate and key of TLS have changed, and are read again"),
                Ok(false) => {}
                Err(error) => {
                    let error = crate::error_chain::with_sources(&error);
                    error!(
                        error,
                        "the certificate and key of TLS cannot be read again; those that were read last count"
                    );
                }
            }
        }
    }
}
