//! Certificates, and clients that trust them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use reqwest::tls::Version;
use reqwest::{Certificate, Client, ClientBuilder};
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::client_builder;
use crate::soon::soon;

/// Both versions that the services speak.
pub const VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];

/// A certificate of 127.0.0.1 and its key, in files that are removed when it is dropped.
#[derive(Debug)]
pub struct Identity {
    folder: TempDir,
    certificate: rcgen::Certificate,
}

impl Identity {
    /// Makes a certificate.
    ///
    /// # Panics
    /// As all of this, when the system does not do its part.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let certificate = Self::write_to(&folder);
        Self { folder, certificate }
    }

    fn write_to(folder: &TempDir) -> rcgen::Certificate {
        let made = generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        let CertifiedKey { cert, signing_key } = made;
        std::fs::write(folder.path().join("key.pem"), signing_key.serialize_pem()).expect("the key can be written");
        std::fs::write(folder.path().join("cert.pem"), cert.pem()).expect("the certificate can be written");
        cert
    }

    /// Puts another certificate and key in the place of these.
    pub fn renew(&mut self) {
        self.certificate = Self::write_to(&self.folder);
    }

    /// The path of the certificate, or of another file beside it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The flags by which a service has this certificate.
    pub fn flags(&self) -> [String; 2] {
        [
            format!("--tls-cert={}", self.path("cert.pem").display()),
            format!("--tls-key={}", self.path("key.pem").display()),
        ]
    }

    /// A client of HTTP/1.1 that trusts this certificate alone.
    pub fn client(&self) -> Client {
        self.client_builder().http1_only().build().expect("the client has no bad settings")
    }

    /// As [`Identity::client`], one for each of [`VERSIONS`].
    pub fn clients(&self) -> [Client; 2] {
        [Version::TLS_1_2, Version::TLS_1_3].map(|version| {
            let builder = self.client_builder().http1_only().tls_version_min(version).tls_version_max(version);
            builder.build().expect("the client has no bad settings")
        })
    }

    /// As [`Identity::client`], which speaks HTTP/2 where the service does.
    pub fn http2_client(&self) -> Client {
        self.client_builder().build().expect("the client has no bad settings")
    }

    fn client_builder(&self) -> ClientBuilder {
        let trusted = Certificate::from_der(self.certificate.der()).expect("a certificate");
        client_builder().tls_certs_only([trusted])
    }

    /// The settings of a client that speaks a version, and trusts this certificate alone.
    pub fn client_config(&self, version: &'static SupportedProtocolVersion) -> ClientConfig {
        let mut trusted = RootCertStore::empty();
        trusted.add(self.certificate.der().clone()).expect("a certificate");
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_protocol_versions(&[version]).expect("a version that is known");
        builder.with_root_certificates(trusted).with_no_client_auth()
    }

    /// Connects, and does the handshake.
    ///
    /// # Errors
    /// When the service ends the connection.
    pub async fn connect(
        &self,
        address: SocketAddr,
        version: &'static SupportedProtocolVersion,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        Self::connect_with(self.client_config(version), address).await
    }

    /// As [`Identity::connect`], to speak HTTP/2.
    ///
    /// # Errors
    /// As [`Identity::connect`].
    pub async fn connect_http2(&self, address: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
        let mut config = self.client_config(&rustls::version::TLS13);
        config.alpn_protocols = vec![b"h2".to_vec()];
        Self::connect_with(config, address).await
    }

    async fn connect_with(config: ClientConfig, address: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
        let tcp = soon(TcpStream::connect(address)).await?;
        let name = ServerName::IpAddress(address.ip().into());
        soon(TlsConnector::from(Arc::new(config)).connect(name, tcp)).await
    }
}

impl Default for Identity {
    fn default() -> Self {
        Self::new()
    }
}
