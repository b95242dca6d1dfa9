//! Records of TLS 1.2 that are encrypted by hand, since no library lets a client renegotiate.

use anyhow::{anyhow, bail};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use rustls::{ClientConnection, ConnectionTrafficSecrets};

/// The type of a record of a handshake, and the version (RFC 5246, section 6.2.1).
const HANDSHAKE: [u8; 3] = [22, 3, 3];

/// The bytes of a nonce that AES-GCM sends along (RFC 5288, section 3).
const EXPLICIT: usize = 8;

/// A client's side of a connection after its handshake.
#[derive(Debug)]
pub(super) struct Renegotiation {
    key: LessSafeKey,
    iv: [u8; 12],
    /// The number of records that were sent.
    sequence: u64,
    /// A part of each nonce is sent along.
    is_explicit: bool,
}

impl Renegotiation {
    /// Takes a connection over.
    pub(super) fn of(session: ClientConnection) -> anyhow::Result<Self> {
        let (sequence, secrets) = session.dangerous_extract_secrets()?.tx;
        let (algorithm, key, iv): (&'static Algorithm, _, _) = match secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv),
            _ => bail!("a cipher that is not known"),
        };
        let key = UnboundKey::new(algorithm, key.as_ref()).map_err(|_| anyhow!("a key of another length"))?;
        let mut nonce = [0; 12];
        nonce.copy_from_slice(iv.as_ref());
        let is_explicit = algorithm != &CHACHA20_POLY1305;
        Ok(Self { key: LessSafeKey::new(key), iv: nonce, sequence, is_explicit })
    }

    /// A record with a message of a handshake.
    pub(super) fn record(&mut self, message: &[u8]) -> anyhow::Result<Vec<u8>> {
        let sequence = self.sequence.to_be_bytes();
        self.sequence += 1;
        let mut nonce = self.iv;
        nonce[4..].iter_mut().zip(sequence).for_each(|(byte, number)| *byte ^= number);
        let length = (message.len() as u16).to_be_bytes();
        let covered = [&sequence[..], &HANDSHAKE, &length].concat();
        let mut sealed = message.to_vec();
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(covered), &mut sealed)
            .map_err(|_| anyhow!("a record that is too long"))?;
        let explicit = if self.is_explicit { &nonce[nonce.len() - EXPLICIT..] } else { &[] };
        let length = ((explicit.len() + sealed.len()) as u16).to_be_bytes();
        Ok([&HANDSHAKE[..], &length, explicit, &sealed].concat())
    }
}
