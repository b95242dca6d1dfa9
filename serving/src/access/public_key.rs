//! Public keys in PEM (RFC 7468), whose content is DER (X.690).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::key::{BadKey, Key};

/// `rsaEncryption` (RFC 8017, appendix A.1).
const RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
/// `id-ecPublicKey` (RFC 5480, section 2.1.1).
const EC: &[u8] = b"\x2a\x86\x48\xce\x3d\x02\x01";
/// `secp256r1`, which is P-256 (RFC 5480, section 2.1.1.1).
const P256: &[u8] = b"\x2a\x86\x48\xce\x3d\x03\x01\x07";
/// `id-Ed25519` (RFC 8410, section 3).
const ED25519: &[u8] = b"\x2b\x65\x70";

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// The reason why a text has no public key.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum BadPublicKey {
    /// Not PEM.
    #[error("there is no PUBLIC KEY in it; write one with `openssl pkey -in private.pem -pubout`")]
    NoPem,
    /// A private key, which does not belong on a server that signs nothing.
    #[error(
        "it has a private key, which only the issuer may have; write the public one with \
         `openssl pkey -in private.pem -pubout`"
    )]
    Private,
    /// A certificate.
    #[error("it has a certificate; write its key with `openssl x509 -in certificate.pem -noout -pubkey`")]
    Certificate,
    /// Another kind of key.
    #[error("the key is none of RSA, P-256 and Ed25519")]
    OtherKind,
    /// Bytes that are no key.
    #[error("the key is damaged")]
    Damaged,
    /// See [`BadKey`].
    #[error(transparent)]
    Key(#[from] BadKey),
}

/// Reads the public keys of a file, at least one.
pub(super) fn read(text: &str) -> Result<Vec<Key>, BadPublicKey> {
    let mut keys = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let (label, after) = after.split_once("-----").ok_or(BadPublicKey::NoPem)?;
        if label.ends_with("PRIVATE KEY") {
            return Err(BadPublicKey::Private);
        }
        let (content, after) = after.split_once("-----END ").ok_or(BadPublicKey::Damaged)?;
        let content: String = content.split_ascii_whitespace().collect();
        let der = STANDARD.decode(content).map_err(|_| BadPublicKey::Damaged)?;
        keys.push(match label {
            "PUBLIC KEY" => subject_public_key(&der)?,
            "RSA PUBLIC KEY" => rsa_public_key(&der)?,
            "CERTIFICATE" => return Err(BadPublicKey::Certificate),
            _ => return Err(BadPublicKey::NoPem),
        });
        rest = after;
    }
    if keys.is_empty() { Err(BadPublicKey::NoPem) } else { Ok(keys) }
}

/// Reads a `SubjectPublicKeyInfo` (RFC 5280, section 4.1): the kind of the key, and its bytes.
fn subject_public_key(der: &[u8]) -> Result<Key, BadPublicKey> {
    let mut outer = der;
    let mut info = whole(&mut outer, SEQUENCE)?;
    let mut algorithm = take(&mut info, SEQUENCE)?;
    let kind = take(&mut algorithm, OBJECT_IDENTIFIER)?;
    // The first byte is the number of bits that do not count, of which there are none.
    let [0, bytes @ ..] = whole(&mut info, BIT_STRING)? else { return Err(BadPublicKey::Damaged) };
    match kind {
        RSA => rsa_public_key(bytes),
        EC if take(&mut algorithm, OBJECT_IDENTIFIER)? == P256 => Ok(Key::p256(bytes)?),
        ED25519 => Ok(Key::ed25519(bytes)?),
        _ => Err(BadPublicKey::OtherKind),
    }
}

/// Reads an `RSAPublicKey` (RFC 8017, appendix A.1.1).
fn rsa_public_key(der: &[u8]) -> Result<Key, BadPublicKey> {
    let mut outer = der;
    let mut key = whole(&mut outer, SEQUENCE)?;
    let modulus = take(&mut key, INTEGER)?;
    let exponent = whole(&mut key, INTEGER)?;
    Ok(Key::rsa(modulus, exponent)?)
}

/// Takes a value that has to be the last one.
fn whole<'a>(der: &mut &'a [u8], tag: u8) -> Result<&'a [u8], BadPublicKey> {
    let content = take(der, tag)?;
    if der.is_empty() { Ok(content) } else { Err(BadPublicKey::Damaged) }
}

/// Takes the value at the beginning, which has to be of a kind, and returns its content.
fn take<'a>(der: &mut &'a [u8], tag: u8) -> Result<&'a [u8], BadPublicKey> {
    let [found, length, rest @ ..] = *der else { return Err(BadPublicKey::Damaged) };
    let (length, rest) = match *length {
        short @ ..=0x7f => (usize::from(short), rest),
        // The length is in the bytes that follow; two are enough for any key.
        long @ (0x81 | 0x82) => {
            let (length, rest) = rest.split_at_checked(usize::from(long & 0x7f)).ok_or(BadPublicKey::Damaged)?;
            (length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return Err(BadPublicKey::Damaged),
    };
    let (content, rest) = rest.split_at_checked(length).ok_or(BadPublicKey::Damaged)?;
    if *found != tag {
        return Err(BadPublicKey::Damaged);
    }
    *der = rest;
    Ok(content)
}
