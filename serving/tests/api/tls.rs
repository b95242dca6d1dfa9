//! TLS, to clients that we did not write.

use std::io::{ErrorKind, Read, Write};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use serde_json::Value;
use serving::access::Access;
use serving::healthcheck::ask;
use shared::backplane::Publication;
use shared::message::Draft;
use shared::topic::Topic;
use testkit::tls::{Identity, VERSIONS};
use testkit::{RawClient, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::answer::Answer;
use crate::service::{Service, app};

async fn start(identity: &Identity, flags: &[&str]) -> Service {
    let files = identity.flags();
    Service::start(&[&[files[0].as_str(), &files[1]], flags].concat()).await
}

fn url(service: &Service, path: &str) -> String {
    format!("https://{}{path}", service.address())
}

/// Publishes without the network.
async fn publish(service: &Service, text: &str) {
    let publication = Publication::new(Topic::default(), vec![Draft::text(text)], None);
    service.app.publish(publication, &Access::EVERYTHING, None).await.unwrap();
}

#[tokio::test]
async fn a_service_with_a_certificate_speaks_tls() {
    let identity = Identity::new();
    let service = start(&identity, &[]).await;
    let client = identity.client();
    for text in ["one", "two"] {
        let publication = client.post(url(&service, "/messages")).body(text);
        assert_eq!(soon(publication.send()).await.unwrap().status(), 201);
    }
    let page = soon(client.get(url(&service, "/messages")).send()).await.unwrap();
    let page: Value = soon(page.json()).await.unwrap();
    assert_eq!(page["messages"][1]["text"], "two");
    let peers = soon(client.get(url(&service, "/assets/peers.json")).send()).await.unwrap();
    let peers: Value = soon(peers.json()).await.unwrap();
    assert_eq!(peers["sse"], "https://127.0.0.1:3001", "a page over TLS may not connect in the clear");
}

#[tokio::test]
async fn the_healthcheck_asks_over_tls() {
    let identity = Identity::new();
    let service = start(&identity, &[]).await;
    soon(ask(service.address(), true)).await.unwrap();
    let error = soon(ask(service.address(), false)).await.unwrap_err();
    assert!(error.to_string().contains("tls_required"), "{error}");
    service.app.begin_drain();
    let error = soon(ask(service.address(), true)).await.unwrap_err();
    assert!(error.to_string().contains("shutting down"), "{error}");
}

/// The clients of the other tests have the library of the service; this one mostly has OpenSSL.
#[tokio::test]
async fn curl_is_served() {
    let identity = Identity::new();
    let service = start(&identity, &[]).await;
    let file = identity.path("text");
    let text = "x".repeat(60_000);
    std::fs::write(&file, &text).unwrap();
    for version in ["1.2", "1.3"] {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "20", "--noproxy", "*", "--output"])
            .arg(identity.path("answer"));
        curl.args(["--write-out", "%{http_version} %{http_code} ", "--tls-max", version, "--tlsv1.2", "--cacert"]);
        curl.arg(identity.path("cert.pem")).arg("--data-binary").arg(format!("@{}", file.display()));
        curl.args([url(&service, "/messages"), url(&service, "/messages")]);
        let output = match tokio::task::spawn_blocking(move || curl.output()).await.unwrap() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                eprintln!("NOT TESTED: curl is not installed");
                return;
            }
            output => output.unwrap(),
        };
        let answers = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(answers.matches(" 201 ").count(), 2, "TLS {version}: {answers} {errors}");
    }
    assert_eq!(service.held("main"), vec![text; 4]);
}

/// Every version, several requests in one record and over many, in one connection that is kept open.
#[tokio::test]
async fn requests_come_in_any_pieces() {
    let identity = Identity::new();
    let service = start(&identity, &[]).await;
    let request = |text: &str| {
        let length = text.len();
        format!("POST /messages HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n{text}")
    };
    for version in VERSIONS {
        let mut client = identity.connect(service.address(), version).await.unwrap();
        let large = "x".repeat(60_000);
        let three = [request("a"), request(&large), request("c")].concat();
        client.write_all(three.as_bytes()).await.unwrap();
        for byte in request("bytewise").as_bytes() {
            client.write_all(&[*byte]).await.unwrap();
            client.flush().await.unwrap();
        }
        let mut answers = Vec::new();
        while answers.windows(12).filter(|window| window == b"HTTP/1.1 201").count() < 4 {
            assert_ne!(soon(client.read_buf(&mut answers)).await.unwrap(), 0);
        }
    }
    assert_eq!(service.held("main").len(), 8);
}

/// The network breaks the records of a client into single bytes.
#[tokio::test]
async fn records_come_in_any_pieces() {
    let identity = Identity::new();
    let service = start(&identity, &[]).await;
    for version in VERSIONS {
        let name = ServerName::IpAddress(service.address().ip().into());
        let mut tls = ClientConnection::new(Arc::new(identity.client_config(version)), name).unwrap();
        tls.writer().write_all(b"GET /livez HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").unwrap();
        let mut tcp = tokio::net::TcpStream::connect(service.address()).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let mut text = Vec::new();
        loop {
            let mut records = Vec::new();
            while tls.wants_write() {
                tls.write_tls(&mut records).unwrap();
            }
            for byte in records {
                tcp.write_all(&[byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
            let mut received = Vec::new();
            if soon(tcp.read_buf(&mut received)).await.unwrap() == 0 {
                break;
            }
            let mut received = received.as_slice();
            while !received.is_empty() {
                tls.read_tls(&mut received).unwrap();
                let state = tls.process_new_packets().unwrap();
                let mut part = vec![0; state.plaintext_bytes_to_read()];
                tls.reader().read_exact(&mut part).unwrap();
                text.extend(part);
            }
        }
        let answer = Answer::parse(&String::from_utf8(text).unwrap());
        assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"status":"live"}"#));
    }
}

/// Answers of many records, to a client that reads them slowly and one that closes its side first.
#[tokio::test]
async fn a_large_answer_comes_whole() {
    let identity = Identity::new();
    let service = start(&identity, &[]).await;
    let text: String = (0..60_000).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
    for _ in 0..60 {
        publish(&service, &text).await;
    }
    for version in VERSIONS {
        let mut client = identity.connect(service.address(), version).await.unwrap();
        client
            .write_all(b"GET /messages?limit=1000 HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        client.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let mut piece = [0; 777];
        loop {
            let count = soon(client.read(&mut piece)).await.unwrap();
            if count == 0 {
                break;
            }
            answer.extend_from_slice(&piece[..count]);
            tokio::task::yield_now().await;
        }
        let answer = Answer::parse(&String::from_utf8(answer).unwrap());
        let page = answer.json();
        let messages = page["messages"].as_array().unwrap();
        assert_eq!(messages.len(), 60);
        assert!(messages.iter().all(|message| message["text"] == text.as_str()));
    }
}

/// A page in the clear is not the service's own: whoever is on the way could make one up.
#[tokio::test]
async fn the_own_origin_is_that_of_https() {
    let identity = Identity::new();
    let service = start(&identity, &["--allow-origin", "https://page.example"]).await;
    let client = identity.client();
    for (scheme, status) in [("https", 200), ("http", 403)] {
        let origin = format!("{scheme}://{}", service.address());
        let answer = soon(client.get(url(&service, "/messages")).header("origin", origin).send()).await.unwrap();
        assert_eq!(answer.status(), status, "{scheme}");
    }
}

#[tokio::test]
async fn a_request_in_the_clear_is_answered_so() {
    let identity = Identity::new();
    let service = start(&identity, &[]).await;
    for request in ["GET /livez HTTP/1.1\r\nhost: test\r\n\r\n", "POST /messages HTTP/1.1\r\nhost: test\r\n\r\n"] {
        service.raw(request).await.assert_error(400, "tls_required", "https://");
    }
    assert!(service.held("main").is_empty());
}

#[tokio::test]
async fn bytes_that_are_no_handshake_are_answered_by_an_alert() {
    let identity = Identity::new();
    let service = start(&identity, &[]).await;
    for garbage in [
        &b"\x16\x03\x01\x00\x05hello"[..],
        b"\x00\x01\x02\x03\x04\x05\x06\x07",
        b"\x17\x03\x03\x00\x01x",
        &[0xff; 70_000],
    ] {
        let mut client = tokio::net::TcpStream::connect(service.address()).await.unwrap();
        // It may be closed before all of it is sent.
        let _ = client.write_all(garbage).await;
        let mut answer = Vec::new();
        let _ = soon(client.read_to_end(&mut answer)).await;
        // An alert that is fatal (RFC 8446, section 6), unless the connection was reset.
        assert!(answer.is_empty() || (answer[0] == 21 && answer[5] == 2), "{answer:?}");
    }
    assert_eq!(soon(identity.client().get(url(&service, "/livez")).send()).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_handshake_has_the_time_of_a_head() {
    let identity = Identity::new();
    let service = start(&identity, &["--read-timeout", "100ms"]).await;
    for beginning in [&b""[..], b"\x16\x03\x01"] {
        let mut client = RawClient::connect(service.address()).await;
        client.send(beginning).await;
        client.cut_off().await;
    }
    let mut client = identity.connect(service.address(), VERSIONS[1]).await.unwrap();
    let mut nothing = Vec::new();
    let _ = soon(client.read_to_end(&mut nothing)).await;
    assert!(nothing.is_empty());
}

/// A client that does not read is cut off as without TLS, and holds up nobody.
#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off() {
    let identity = Identity::new();
    let service = start(&identity, &["--write-timeout", "200ms"]).await;
    for _ in 0..60 {
        publish(&service, &"x".repeat(60_000)).await;
    }
    let mut client = identity.connect(service.address(), VERSIONS[1]).await.unwrap();
    let request = "GET /messages?limit=1000 HTTP/1.1\r\nhost: test\r\n\r\n".repeat(4);
    client.write_all(request.as_bytes()).await.unwrap();
    // Its bytes arrive nowhere once it is cut off.
    soon(async {
        while client.write_all(b" ").await.is_ok() && client.flush().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_is_renewed_is_shown_to_those_who_come() {
    let mut identity = Identity::new();
    let service = start(&identity, &[]).await;
    let (old, request) = (identity.client(), b"GET /livez HTTP/1.1\r\nhost: test\r\n\r\n");
    let mut kept = identity.connect(service.address(), VERSIONS[1]).await.unwrap();
    identity.renew();
    let new = identity.client();
    soon(async { while new.get(url(&service, "/livez")).send().await.is_err() {} }).await;
    assert!(soon(old.get(url(&service, "/livez")).send()).await.is_err(), "the old one is not shown any more");
    kept.write_all(request).await.unwrap();
    let mut answer = [0; 12];
    soon(kept.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200", "a connection of before goes on");
}

#[test]
fn files_that_are_no_certificate_are_refused() {
    let (identity, other) = (Identity::new(), Identity::new());
    let path = |name: &str| identity.path(name).to_str().unwrap().to_owned();
    let [cert, key] = [path("cert.pem"), path("key.pem")];
    let write = |name: &str, content: &str| {
        std::fs::write(identity.path(name), content).unwrap();
        path(name)
    };
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let older = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,5A\n\nAAAA\n\
        -----END RSA PRIVATE KEY-----\n";
    for (chain, private, error) in [
        (path("missing"), key.clone(), "cannot read"),
        (cert.clone(), path("missing"), "cannot read"),
        (write("empty", ""), key.clone(), "there is no CERTIFICATE in"),
        (key.clone(), key.clone(), "there is no CERTIFICATE in"),
        (cert.clone(), cert.clone(), "there is no PRIVATE KEY in"),
        (cert.clone(), write("encrypted", encrypted), "has to be decrypted first"),
        (cert.clone(), write("older", older), "has to be decrypted first"),
        (cert.clone(), other.path("key.pem").to_str().unwrap().to_owned(), "is not that of the certificate"),
        (write("cut", "-----BEGIN CERTIFICATE-----\nAAAA"), key.clone(), "is not PEM"),
    ] {
        let refused = app(&["--tls-cert", &chain, "--tls-key", &private]).unwrap_err().to_string();
        assert!(refused.contains(error), "{refused}");
    }
}
