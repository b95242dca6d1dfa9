//! Keys against signatures that others have made: the examples of the RFCs, and OpenSSL's.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::access::public_key::{self, BadPublicKey};
use crate::access::signatures;

/// `{"iss":"joe","exp":1300819380,"http://example.com/is_root":true}`, as RFC 7515, appendix A, has it.
const JOE: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn bytes(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// Checks that a key takes a token, and none of its neighbours.
fn assert_signed(key: &Key, header: &str, payload: &str, signature: &str) {
    let outcome = |token: &str| match key.claims(token) {
        // The payload of the example need not be claims.
        Ok(_) | Err(BadToken::NoClaims) => Ok(()),
        Err(error) => Err(error),
    };
    assert_eq!(outcome(&format!("{header}.{payload}.{signature}")), Ok(()));
    let mut other = bytes(signature);
    other[7] ^= 1;
    let other = URL_SAFE_NO_PAD.encode(other);
    for wrong in [other.as_str(), "", &signature[..signature.len() - 4], &format!("{signature}AAAA")] {
        let refusal = outcome(&format!("{header}.{payload}.{wrong}"));
        assert!(matches!(refusal, Err(BadToken::Signature | BadToken::Malformed)), "{wrong}: {refusal:?}");
    }
    let other_payload = URL_SAFE_NO_PAD.encode(r#"{"iss":"eve"}"#);
    assert_eq!(outcome(&format!("{header}.{other_payload}.{signature}")), Err(BadToken::Signature));
}

#[test]
fn the_examples_of_the_rfcs_are_signed() {
    signatures::install();
    let secret = bytes("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
    assert_signed(
        &Key::secret(&Secret::new(secret)),
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
        JOE,
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    );
    let modulus = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    assert_signed(
        &Key::rsa(&bytes(modulus), &bytes("AQAB")).unwrap(),
        "eyJhbGciOiJSUzI1NiJ9",
        JOE,
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    );
    let point = [
        &[4],
        &*bytes("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
        &*bytes("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"),
    ]
    .concat();
    assert_signed(
        &Key::p256(&point).unwrap(),
        "eyJhbGciOiJFUzI1NiJ9",
        JOE,
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    );
    // RFC 8037, appendix A.4.
    assert_signed(
        &Key::ed25519(&bytes("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")).unwrap(),
        "eyJhbGciOiJFZERTQSJ9",
        "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    );
}

#[test]
fn a_key_takes_no_other_algorithm() {
    signatures::install();
    let pem = include_str!("../../../tests/keys/rsa.pem");
    let key = public_key::read(pem).unwrap().remove(0);
    // The old trick: the public key, which everybody knows, as the secret of HS256.
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#);
    let forged = format!("{header}.{JOE}");
    let tag = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, pem.as_bytes()), forged.as_bytes());
    let forged = format!("{forged}.{}", URL_SAFE_NO_PAD.encode(tag));
    assert_eq!(key.claims(&forged).unwrap_err(), BadToken::OtherAlgorithm("another algorithm".to_owned()));
}

#[test]
fn tokens_of_openssl_are_taken_by_the_keys_of_their_files() {
    signatures::install();
    let files = [
        (include_str!("../../../tests/keys/rsa.pem"), include_str!("../../../tests/keys/rsa.jwt"), Algorithm::RS256),
        (
            include_str!("../../../tests/keys/rsa-pkcs1.pem"),
            include_str!("../../../tests/keys/rsa.jwt"),
            Algorithm::RS256,
        ),
        (include_str!("../../../tests/keys/p256.pem"), include_str!("../../../tests/keys/p256.jwt"), Algorithm::ES256),
        (
            include_str!("../../../tests/keys/ed25519.pem"),
            include_str!("../../../tests/keys/ed25519.jwt"),
            Algorithm::EdDSA,
        ),
    ];
    for (pem, token, algorithm) in files {
        let keys = public_key::read(pem).unwrap();
        assert_eq!(keys.iter().map(Key::algorithm).collect::<Vec<_>>(), [algorithm]);
        assert!(keys[0].claims(token.trim()).is_ok(), "{algorithm:?}");
        for (_, other, of) in files.iter().filter(|(_, _, of)| *of != algorithm) {
            assert!(keys[0].claims(other.trim()).is_err(), "{algorithm:?} takes a token of {of:?}");
        }
    }
    let all: String = files.iter().map(|(pem, ..)| *pem).collect();
    assert_eq!(public_key::read(&all).unwrap().len(), files.len(), "one file with several keys");
}

#[test]
fn files_without_a_key_for_tokens_are_refused() {
    let damaged = include_str!("../../../tests/keys/rsa.pem").replacen("MII", "MIJ", 1);
    let cut = include_str!("../../../tests/keys/p256.pem").replace("-----END PUBLIC KEY-----", "");
    for (pem, error) in [
        ("", BadPublicKey::NoPem),
        ("-----BEGIN NOTHING-----\nAAAA\n-----END NOTHING-----", BadPublicKey::NoPem),
        ("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----", BadPublicKey::Private),
        (include_str!("../../../tests/keys/certificate.pem"), BadPublicKey::Certificate),
        (include_str!("../../../tests/keys/p384.pem"), BadPublicKey::OtherKind),
        (include_str!("../../../tests/keys/rsa-1024.pem"), BadPublicKey::Key(BadKey::RsaSize)),
        (&damaged, BadPublicKey::Damaged),
        (&cut, BadPublicKey::Damaged),
        ("-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----", BadPublicKey::Damaged),
    ] {
        assert_eq!(public_key::read(pem).err(), Some(error), "{pem}");
    }
}
