//! `--max-connections`.

use testkit::{RawClient, soon};

use crate::answer::Answer;
use crate::service::Service;

/// A connection that has been served and stays.
async fn taken(service: &Service) -> RawClient {
    let mut client = service.connect().await;
    client.send("GET /livez HTTP/1.1\r\nhost: test\r\n\r\n").await;
    assert_eq!(Answer::parse(&client.read_until("}").await).status, 200);
    client
}

#[tokio::test]
async fn a_client_above_the_most_connections_is_refused_for_now() {
    let service = Service::start(&["--max-connections", "2"]).await;
    let (first, mut second) = (taken(&service).await, taken(&service).await);

    // The server closes: there is no place to stay.
    let full = service.raw("GET /messages HTTP/1.1\r\nhost: test\r\n\r\n").await;
    full.assert_error(503, "full", "try again later");
    assert_eq!(full.header("connection"), Some("close"));
    let head = "POST /messages HTTP/1.1\r\nhost: test\r\norigin: https://page.example\r\n";
    let full = service.raw(format!("{head}content-length: 1\r\n\r\nx")).await;
    full.assert_error(503, "full", "try again later");
    assert_eq!(full.header("access-control-allow-origin"), Some("*"), "a page can read why");
    assert!(service.held("main").is_empty());
    for path in ["/livez", "/readyz"] {
        assert_eq!(service.ask(&format!("GET {path}"), "").await.status, 200, "the process is well when it is full");
    }

    second.send("POST /messages HTTP/1.1\r\nhost: test\r\ncontent-length: 1\r\n\r\nx").await;
    assert_eq!(Answer::parse(&second.read_until("}").await).status, 201, "a client with a place keeps it");

    drop(first);
    soon(async { while service.ask("GET /messages", "").await.status != 200 {} }).await;
}

#[tokio::test]
async fn every_place_comes_back_however_its_connection_ended() {
    let service = Service::start(&["--max-connections", "1", "--read-timeout", "200ms"]).await;
    let endings = [
        "GET /messages HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n",
        "garbage\r\n\r\n",
        "GET /mess",
        "POST /messages HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nabc",
        "POST /messages HTTP/1.1\r\nhost: test\r\ncontent-length: 99999999\r\n\r\nabc",
        "",
    ];
    for ending in endings {
        let mut client = service.connect().await;
        client.send(ending).await;
        client.read_to_end().await;
        drop(client);
        soon(async { while service.ask("GET /messages", "").await.status != 200 {} }).await;
    }
}
