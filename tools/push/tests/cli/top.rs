//! `push top`

use e2e::service::Method;
use serde_json::{Value, json};

use crate::helpers::{Running, push, service, shell};

#[tokio::test]
async fn figures_come_as_a_line_per_refresh() {
    let [one, other] = [service(Method::Ws, &[]).await, service(Method::Sse, &[]).await];
    let mut follower = Running::follow(&["--url", &one.url("")]).await;
    let mut top = Running::start(&["top", &one.url(""), &other.url(""), "--interval", "100ms"]);
    let first = top.line().await;
    assert_eq!(first["services"][0]["url"], one.url(""), "{first}");
    assert_eq!(first["services"][0]["published_per_second"], Value::Null);
    one.publish("x").await.unwrap();
    follower.texts(1).await;
    let mut rate = 0.0;
    let last = loop {
        let line = top.line().await;
        rate += line["services"][0]["published_per_second"].as_f64().unwrap();
        if line["services"][0]["delivered"] == 1.0 && rate > 0.0 {
            break line;
        }
    };
    let [ws, sse] = [&last["services"][0], &last["services"][1]];
    assert_eq!([&ws["transport"], &sse["transport"]], ["web_sockets", "server_sent_events"]);
    assert_eq!(
        (&ws["connections"], &ws["published"], &ws["history_messages"]),
        (&json!(1.0), &json!(1.0), &json!(1.0))
    );
    assert_eq!((&sse["connections"], &sse["published"], &sse["error"]), (&json!(0.0), &json!(0.0), &Value::Null));
    assert_eq!((&ws["slowest"], &ws["backplane_up"]), (&Value::Null, &json!(true)));
    // The looks themselves do not add to what is refused.
    assert_eq!((&ws["rejected_per_second"], &sse["rejected_per_second"]), (&json!(0.0), &json!(0.0)));
}

#[tokio::test]
async fn the_port_of_those_who_run_it_has_the_slowest_readers() {
    // The service does not say where a port of the system's choice is but in its log.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let admin = format!("127.0.0.1:{port}");
    let _service = service(Method::Sse, &["--admin-listen", &admin]).await;
    let url = format!("http://{admin}");
    let ended = testkit::soon(async {
        loop {
            let ended = push(&["top", "--once", &url]).await;
            if ended.code == Some(0) {
                return ended;
            }
        }
    })
    .await;
    assert_eq!(ended.json()[0]["services"][0]["slowest"], json!([]), "{ended:?}");
}

#[tokio::test]
async fn a_service_that_is_away_is_shown_as_such() {
    let mut service = service(Method::Poll, &[]).await;
    let url = service.url("");
    let ended = push(&["top", "--once", &url]).await;
    assert_eq!((ended.code, &ended.json()[0]["services"][0]["error"]), (Some(0), &Value::Null), "{ended:?}");
    service.stop().await.unwrap();
    let ended = push(&["top", "--once", &url]).await;
    let error = ended.json()[0]["services"][0]["error"].as_str().unwrap().to_owned();
    assert!(ended.code == Some(1) && error.contains("cannot be reached"), "{ended:?}");
    let ended = shell(&format!("$PUSH top {url} --interval 10ms | head -n 2")).await;
    assert_eq!((ended.code, ended.stderr.as_str(), ended.json().len()), (Some(0), "", 2));
}
