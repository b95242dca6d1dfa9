//! Tests of the keys of a closed service.

use serde_json::json;

use crate::access::posting;
use crate::process::Process;
use crate::service::Service;
use crate::soon::soon;
use crate::tokens::{SECRET, claims};

/// Of the name of an unknown key, which anybody can make up, the log has the beginning.
pub async fn the_log_has_the_beginning_of_the_name_of_an_unknown_key<S: Service>() {
    const LOGGED: usize = 64;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("keys.json");
    let key = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "known", "x": "A".repeat(43) });
    std::fs::write(&file, json!({ "keys": [key] }).to_string()).expect("the file can be written");
    let (mut process, address) = S::PROGRAM.start(&["--jwks", file.to_str().expect("a path in UTF-8")]).await;
    for length in [LOGGED, LOGGED + 1, 10_000] {
        let name = "\u{e9}".repeat(length);
        let unsigned = token::unsigned(&json!({ "alg": "EdDSA", "kid": name }), &claims(json!({})));
        let token = token::signed(&unsigned, &[7; 64]);
        let answer = soon(posting(address, "a.b", "m").bearer_auth(token).send()).await.expect("an answer");
        assert_eq!(answer.status(), 401);
        let line = process.line_with("(kid), which --jwks does not have").await;
        assert_eq!(line.matches('\u{e9}').count(), LOGGED, "{line}");
    }
}

/// Keys that cannot be used are refused at start, with what to do, and without a word of the key.
pub async fn keys_that_cannot_be_used_are_refused<S: Service>() {
    let short = "too-short-a-secret";
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("a file");
        path.to_str().expect("a path in UTF-8").to_owned()
    };
    let missing = folder.path().join("missing").to_str().expect("a path in UTF-8").to_owned();
    let private = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    for (flags, advice) in [
        (["--jwt-secret".to_owned(), short.to_owned()], "32 bytes or more; make one with `openssl rand -base64 48`"),
        (["--jwt-secret-file".to_owned(), file("short", short)], "32 bytes or more"),
        (["--jwt-secret-file".to_owned(), missing.clone()], "cannot read"),
        (["--jwt-public-key".to_owned(), file("garbage", "garbage")], "no PUBLIC KEY in it"),
        (["--jwt-public-key".to_owned(), file("private", private)], "only the issuer may have"),
        (["--jwks".to_owned(), file("jwks", "{}")], "not a JSON Web Key Set"),
        (["--jwks".to_owned(), missing], "cannot read"),
        (["--jwks".to_owned(), "http://id.example.org/jwks".to_owned()], "can be replaced on the way"),
        (["--jwks".to_owned(), format!("https://ada:{short}@id.example.org/jwks")], "without user and password"),
        (["--jwks".to_owned(), format!("http://ada:{short}@id.example.org:x/")], "without user and password"),
        (["--jwt-issuer".to_owned(), "x".to_owned()], "does nothing while the service is open"),
        (["--anonymous-subscribe".to_owned(), "a..b".to_owned()], "topic"),
    ] {
        let arguments = [&["--listen", "127.0.0.1:0"][..], &[&flags[0], &flags[1]]].concat();
        let exit = soon(Process::run(S::PROGRAM.path, &arguments)).await;
        assert!(exit.code.is_some_and(|code| code != 0) && exit.stderr.contains(advice), "{flags:?}: {exit:?}");
        assert!(!exit.stderr.contains(short), "{exit:?}");
    }
}

/// On SIGHUP the files of keys are read again; one that has become bad changes nothing.
pub async fn keys_are_read_again_on_sighup<S: Service>() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret");
    let write = |secret: &str| std::fs::write(&file, format!("{secret}\n")).expect("the file can be written");
    let [old, new] = [SECRET, "another secret of more than 32 bytes, the next one"];
    write(old);
    let (mut process, address) =
        S::PROGRAM.start(&["--drain", "0", "--jwt-secret-file", file.to_str().expect("a path in UTF-8")]).await;
    let status = async |secret: &str| {
        let token = token::hs256(secret.as_bytes(), &claims(json!({})));
        soon(posting(address, "a.b", "m").bearer_auth(token).send()).await.expect("an answer").status().as_u16()
    };
    assert_eq!((status(old).await, status(new).await), (201, 401));
    write(new);
    crate::signal(&process, crate::Signal::SIGHUP);
    process.line_with("SIGHUP: the keys are read again").await;
    assert_eq!((status(old).await, status(new).await), (401, 201));
    write("too short");
    crate::signal(&process, crate::Signal::SIGHUP);
    process.line_with("the keys cannot be read again; those that were read last count").await;
    assert_eq!((status(old).await, status(new).await), (401, 201));
}
