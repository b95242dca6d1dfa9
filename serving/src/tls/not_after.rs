//! The end of a certificate's validity.

use der::asn1::{AnyRef, GeneralizedTime, UtcTime};
use der::{Decode, Reader, SliceReader, Tag, TagNumber, Tagged};

/// The time at which a certificate ends (RFC 5280, section 4.1.2.5), in seconds since the Unix epoch. Nothing else of it is checked.
pub(super) fn not_after(certificate: &[u8]) -> der::Result<i64> {
    AnyRef::from_der(certificate)?.sequence(|certificate| {
        let signed: AnyRef<'_> = certificate.decode()?;
        let [_algorithm, _signature]: [AnyRef<'_>; 2] = [certificate.decode()?, certificate.decode()?];
        signed.sequence(not_after_of_signed)
    })
}

/// Reads the part that is signed.
fn not_after_of_signed(reader: &mut SliceReader<'_>) -> der::Result<i64> {
    const VERSION: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber::N0 };
    let first: AnyRef<'_> = reader.decode()?;
    if first.tag() == VERSION {
        let _serial_number: AnyRef<'_> = reader.decode()?;
    }
    let [_algorithm, _issuer]: [AnyRef<'_>; 2] = [reader.decode()?, reader.decode()?];
    let validity: AnyRef<'_> = reader.decode()?;
    let end = validity.sequence(|validity| {
        let _not_before: AnyRef<'_> = validity.decode()?;
        seconds(validity.decode()?)
    })?;
    // The subject, its key, and the extensions.
    while !reader.is_finished() {
        let _: AnyRef<'_> = reader.decode()?;
    }
    Ok(end)
}

fn seconds(time: AnyRef<'_>) -> der::Result<i64> {
    let since = match time.tag() {
        Tag::UtcTime => time.decode_as::<UtcTime>()?.to_unix_duration(),
        _ => time.decode_as::<GeneralizedTime>()?.to_unix_duration(),
    };
    Ok(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    use testkit::tls::Identity;

    use super::*;

    fn seconds_of(time: &str) -> i64 {
        time.parse::<Timestamp>().unwrap().as_second()
    }

    #[test]
    fn the_end_is_read_in_both_forms() {
        // Of openssl, as UTCTime.
        let short = CertificateDer::from_pem_slice(include_bytes!("../../tests/keys/certificate.pem")).unwrap();
        assert_eq!(not_after(&short), Ok(seconds_of("2026-12-26T23:28:08Z")));
        // Of rcgen, as GeneralizedTime: years from 2050 on have four digits.
        let long = CertificateDer::from_pem_file(Identity::new().path("cert.pem")).unwrap();
        assert_eq!(not_after(&long), Ok(seconds_of("4096-01-01T00:00:00Z")));
        for length in 0..long.len() {
            assert!(not_after(&long[..length]).is_err(), "{length}");
        }
    }
}
