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
    let full = service.raw("GET /messages HTTP/1.1\r\nhost: test\r\norigin: https://page.example\r\n\r\n").await;
    full.assert_error(503, "full", "try again later");
    assert_eq!(full.header("access-control-allow-origin"), Some("*"), "a page can read why");
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

/// A service all of whose places are taken, and the clients that have them.
async fn full(flags: &[&str]) -> (Service, Vec<RawClient>) {
    let service = Service::start(&[&["--max-connections", "2", "--read-timeout", "1h"], flags].concat()).await;
    let clients = vec![taken(&service).await, taken(&service).await];
    (service, clients)
}

#[tokio::test]
async fn clients_that_say_nothing_keep_out_neither_probes_nor_publishers() {
    let (service, _clients) = full(&[]).await;
    let mut silent = Vec::new();
    for round in 0..3 {
        for _ in 0..200 {
            silent.push(service.connect().await);
        }
        for path in ["/livez", "/readyz"] {
            assert_eq!(service.ask(&format!("GET {path}"), "").await.status, 200, "round {round}");
        }
        assert_eq!(service.ask_post("", b"taken").await.status, 201, "round {round}");
    }
    assert_eq!(service.held("main").len(), 3);
}

#[tokio::test]
async fn clients_that_do_not_hang_up_after_a_refusal_keep_out_neither_probes_nor_publishers() {
    let (service, _clients) = full(&[]).await;
    let mut refused = Vec::new();
    for _ in 0..400 {
        let mut client = service.connect().await;
        client.send("GET /messages HTTP/1.1\r\nhost: test\r\n\r\n").await;
        assert!(client.read_until("}").await.starts_with("HTTP/1.1 503 "));
        refused.push(client);
    }
    assert_eq!(service.ask("GET /livez", "").await.status, 200);
    assert_eq!(service.ask_post("", b"taken").await.status, 201);
}

#[tokio::test]
async fn the_oldest_connection_above_the_most_gives_way() {
    let (service, _clients) = full(&["--overflow-connections", "2"]).await;
    let mut silent = [service.connect().await, service.connect().await];
    let _third = service.connect().await;
    assert_eq!(silent[0].read_to_end().await, "");
    silent[1].send("GET /livez HTTP/1.1\r\nhost: test\r\n\r\n").await;
    assert_eq!(Answer::parse(&silent[1].read_to_end().await).status, 200, "the second one had its place");
}

#[tokio::test]
async fn a_publisher_above_the_most_connections_gives_way_to_nobody() {
    let (service, _clients) = full(&["--overflow-connections", "2", "--overflow-publishers", "1"]).await;
    let head = "POST /messages HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n";
    let mut publisher = service.connect().await;
    publisher.send(head).await;
    assert!(publisher.read_until("\r\n\r\n").await.starts_with("HTTP/1.1 100 "));

    service.raw(head).await.assert_error(503, "full", "try again later");
    for _ in 0..10 {
        service.connect().await;
    }
    publisher.send("half").await;
    assert_eq!(Answer::parse(&publisher.read_to_end().await).status, 201);
    drop(publisher);
    soon(async { while service.ask_post("", b"next").await.status != 201 {} }).await;
}
