//! The certificate and its key, which may change while the service runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use ::ring::digest::{SHA256, digest};
use parking_lot::{Mutex, RwLock};
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::not_after::not_after;

/// The certificate that clients are shown.
#[derive(Debug)]
pub(super) struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    shown: RwLock<Shown>,
    /// The content that was looked at last, good or bad.
    looked_at: Mutex<Content>,
}

/// A certificate with its key.
#[derive(Debug)]
struct Shown {
    key: Arc<CertifiedKey>,
    /// The time at which the certificate ends, in seconds since the Unix epoch.
    expires: i64,
}

/// The content of both files, as digests, so that the key is not kept for this. Their times do not count, since a file may be replaced by
/// an older one.
#[derive(Debug, PartialEq, Eq)]
struct Content {
    chain: Result<Vec<u8>, io::ErrorKind>,
    key: Result<Vec<u8>, io::ErrorKind>,
}

/// The reason why a certificate cannot be used. Nothing of its key is in it.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("cannot read {}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file is not PEM.
    #[error("{} is not PEM", file.display())]
    NotPem {
        /// The file.
        file: PathBuf,
        /// The fault.
        source: pem::Error,
    },
    /// There is no certificate in the file.
    #[error("there is no CERTIFICATE in {}; it takes that of the service, and then those between it and its authority", .0.display())]
    NoCertificate(PathBuf),
    /// There is no key in the file.
    #[error("there is no PRIVATE KEY in {}; it takes that of the certificate, as PEM", .0.display())]
    NoKey(PathBuf),
    /// The key is encrypted.
    #[error("the key in {} is encrypted and has to be decrypted first, with `openssl pkey -in … -out …`", .0.display())]
    EncryptedKey(PathBuf),
    /// The first certificate has no end that can be read.
    #[error("the first CERTIFICATE in {} is malformed: the end of its validity cannot be read", .0.display())]
    Malformed(PathBuf, #[source] der::Error),
    /// The key is not the one of the certificate, or of a kind that is not known.
    #[error("the key in {} is not that of the certificate in {}, or of no kind that is known", key.display(), chain.display())]
    Mismatch {
        /// `--tls-cert`.
        chain: PathBuf,
        /// `--tls-key`.
        key: PathBuf,
        /// The library's reason.
        source: rustls::Error,
    },
}

impl Certificate {
    /// Reads both files.
    pub(super) fn read(chain: &Path, key: &Path) -> Result<Self, CertificateError> {
        let content = Content::read(chain, key);
        let shown = RwLock::new(parse(chain, key)?);
        Ok(Self { chain: chain.to_owned(), key: key.to_owned(), shown, looked_at: Mutex::new(content) })
    }

    /// Reads the files again if they have changed since they were looked at last, or in any case. Returns whether they were read.
    pub(super) fn read_again(&self, in_any_case: bool) -> Result<bool, CertificateError> {
        let content = Content::read(&self.chain, &self.key);
        let mut looked_at = self.looked_at.lock();
        if *looked_at == content && !in_any_case {
            return Ok(false);
        }
        *looked_at = content;
        *self.shown.write() = parse(&self.chain, &self.key)?;
        Ok(true)
    }

    /// The time at which it ends, in seconds since the Unix epoch.
    pub(super) fn expires(&self) -> i64 {
        self.shown.read().expires
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.shown.read().key))
    }
}

impl Content {
    fn read(chain: &Path, key: &Path) -> Self {
        let digest_of = |content: Vec<u8>| digest(&SHA256, &content).as_ref().to_vec();
        let [chain, key] = [chain, key].map(|file| fs::read(file).map(digest_of).map_err(|error| error.kind()));
        Self { chain, key }
    }
}

fn parse(chain: &Path, key: &Path) -> Result<Shown, CertificateError> {
    let unreadable = |file: &Path, source| match source {
        pem::Error::Io(source) => CertificateError::Unreadable { file: file.to_owned(), source },
        source => CertificateError::NotPem { file: file.to_owned(), source },
    };
    let read = |file: &Path| fs::read(file).map_err(|source| unreadable(file, pem::Error::Io(source)));
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&read(chain)?)
        .collect::<Result<_, _>>()
        .map_err(|source| unreadable(chain, source))?;
    let first = certificates.first().ok_or_else(|| CertificateError::NoCertificate(chain.to_owned()))?;
    let expires = not_after(first).map_err(|error| CertificateError::Malformed(chain.to_owned(), error))?;
    let content = read(key)?;
    let private = PrivateKeyDer::from_pem_slice(&content).map_err(|source| match source {
        // In the label of the newer form, and in a header of the older one (RFC 1421, section 4.6.1.1), which is no PEM of today.
        _ if String::from_utf8_lossy(&content).contains("ENCRYPTED") => CertificateError::EncryptedKey(key.to_owned()),
        pem::Error::NoItemsFound => CertificateError::NoKey(key.to_owned()),
        source => unreadable(key, source),
    })?;
    let key = CertifiedKey::from_der(certificates, private, &ring::default_provider())
        .map_err(|source| CertificateError::Mismatch { chain: chain.to_owned(), key: key.to_owned(), source })?;
    Ok(Shown { key: Arc::new(key), expires })
}
