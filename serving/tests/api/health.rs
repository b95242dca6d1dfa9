//! `/livez`, `/readyz`, and the `healthcheck` command that asks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serving::healthcheck::ask;
use serving::listen::ListenAddress;
use testkit::soon;
use tokio::net::TcpListener;

use crate::service::Service;

#[tokio::test]
async fn a_service_that_runs_is_live_and_ready() {
    let service = Service::start(&[]).await;
    assert_eq!(service.get("/livez").await.text("status"), "live");
    assert_eq!(service.get("/readyz").await.text("status"), "ready");
    soon(ask(service.address(), false)).await.unwrap();
}

#[tokio::test]
async fn the_healthcheck_reaches_a_service_that_listens_on_any_address() {
    let service = Service::start(&[]).await;
    let port = service.address().port();
    for address in [format!("0.0.0.0:{port}"), format!(":{port}"), format!("localhost:{port}"), format!("[::]:{port}")]
    {
        soon(ask(address.parse::<ListenAddress>().unwrap(), false)).await.unwrap();
    }
}

#[tokio::test]
async fn the_healthcheck_reports_why_a_service_is_not_ready() {
    let service = Service::start(&[]).await;
    service.app.begin_drain();
    let error = soon(ask(service.address(), false)).await.unwrap_err();
    assert!(error.to_string().contains("shutting down"), "{error:#}");
    service.get("/readyz").await.assert_error(503, "not_ready", "shutting down");
    service.assert_serving().await;
}

#[tokio::test]
async fn the_healthcheck_fails_where_nothing_listens() {
    // Bound and not listening: no other process gets the port, and none answers.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address: SocketAddr = socket.local_addr().unwrap();
    let error = soon(ask(address, false)).await.unwrap_err();
    assert!(error.to_string().contains(&address.to_string()), "{error:#}");
}

#[tokio::test]
async fn the_healthcheck_gives_up_on_a_service_that_does_not_answer() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let error = soon(ask(listener.local_addr().unwrap(), false)).await.unwrap_err();
    assert!(error.to_string().contains("no answer"), "{error:#}");
}

#[tokio::test]
async fn the_healthcheck_fails_on_an_answer_that_is_not_http() {
    use tokio::io::AsyncWriteExt;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    for answer in ["", "SSH-2.0-OpenSSH_9.9\r\n", "\r\n\r\n"] {
        let asked = tokio::spawn(ask(address, false));
        let (mut stream, _) = soon(listener.accept()).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
        drop(stream);
        assert!(soon(asked).await.unwrap().is_err(), "{answer:?} counts as ready");
    }
}

#[tokio::test]
async fn a_port_in_use_is_reported_with_the_flag_to_choose_another() {
    let service = Service::start(&[]).await;
    let error = serving::server::listen(service.address()).unwrap_err();
    let message = format!("{error:#}");
    assert!(message.contains("--listen") && message.contains(&service.address().to_string()), "{message}");
    let free = serving::server::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    assert_ne!(free.local_addr().unwrap().port(), 0);
}

#[test]
fn flags_that_contradict_each_other_are_reported() {
    let flags = ["--history-bytes", "100 KiB", "--max-message-bytes", "64 KiB"];
    let error = crate::service::app(&flags).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("--history-bytes") && message.contains("--max-message-bytes"), "{message}");
}

/// One listener takes clients of IPv6 and of IPv4, where the machine has both.
#[tokio::test]
async fn all_addresses_are_listened_on_where_none_is_named() {
    for address in [":0", "[::]:0"] {
        let Ok(listener) = serving::server::listen(address.parse::<ListenAddress>().unwrap()) else { continue };
        let port = listener.local_addr().unwrap().port();
        for ip in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            if TcpListener::bind((ip, 0)).await.is_ok() {
                soon(tokio::net::TcpStream::connect((ip, port))).await.unwrap();
            }
        }
    }
    let listener = serving::server::listen("localhost:0".parse::<ListenAddress>().unwrap()).unwrap();
    assert!(listener.local_addr().unwrap().ip().is_loopback());
}
