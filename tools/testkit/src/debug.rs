//! Tests of `/debug`, and of the other reports of a loss.

use std::net::SocketAddr;

use nix::sys::signal::Signal;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::client;
use crate::metrics::{Samples, until};
use crate::publish::publish_at;
use crate::raw::RawClient;
use crate::service::{Follower, Received, Service, Streaming};
use crate::service_program::signal;
use crate::soon::soon;
use crate::tokens::{SECRET, token_with};

/// Reads what `/debug` shows until it is as expected.
async fn debug(admin: SocketAddr, expected: impl Fn(&Value) -> bool) -> Value {
    soon(async {
        loop {
            let answer = client().get(format!("http://{admin}/debug.json")).send().await.expect("an answer");
            let debug: Value = answer.json().await.expect("it is JSON");
            if expected(&debug) {
                return debug;
            }
        }
    })
    .await
}

/// A client shows on `/debug`, with the topics that it follows and the gap that was reported to it, and can be ended there.
pub async fn clients_show_on_debug_and_can_be_ended<S: Streaming>() {
    let flags = ["--drain", "0", "--history", "2", "--admin-listen", "127.0.0.1:0", "--jwt-secret", SECRET];
    let (mut process, address) = S::PROGRAM.start(&flags).await;
    let admin = process.logged("listening for those who run the service", "address").await;
    let admin: SocketAddr = admin.parse().expect("an address");
    let ticket = async |subject: &str| {
        let request =
            client().post(format!("http://{address}/ticket")).bearer_auth(token_with(json!({ "sub": subject })));
        let answer: Value = soon(async { request.send().await?.json().await }).await.expect("a ticket");
        answer["ticket"].as_str().expect("a text").to_owned()
    };
    let mut ada = S::follow(address, &format!("topic=a.b&ticket={}", ticket("ada").await)).await;
    let mut eve = S::follow(address, &format!("topic=a.*&ticket={}", ticket("eve").await)).await;
    let messages: Vec<Value> = (0..5).map(|number| json!({ "text": number.to_string() })).collect();
    let burst = client().post(format!("http://{address}/messages?topic=a.b")).json(&messages);
    let status = soon(burst.bearer_auth(token_with(json!({ "sub": "bob" }))).send()).await.expect("an answer").status();
    assert_eq!(status, StatusCode::CREATED);
    for follower in [&mut ada, &mut eve] {
        let gap = follower.next().await;
        assert!(matches!(&gap, Received::Gap { reason, .. } if reason == "lagged"), "{gap:?}");
    }
    process.line_with("gap reported to a client").await;

    let shown = debug(admin, |debug| debug["gaps"].as_array().is_some_and(|gaps| gaps.len() == 2)).await;
    assert_eq!((&shown["clients"]["connected"], &shown["clients"]["answered"]), (&json!(2), &json!(2)), "{shown}");
    let clients = shown["clients"]["slowest"].as_array().expect("a list");
    let of = |subject: &str| clients.iter().find(|client| client["subject"] == subject).expect("it is there");
    assert_eq!((&of("ada")["topics"], &of("eve")["topics"]), (&json!(["a.b"]), &json!(["a.*"])));
    assert_eq!(of("ada")["lag_messages"], 0);
    for gap in shown["gaps"].as_array().expect("a list") {
        assert_eq!(gap["reason"], "lagged");
        assert!(["ada", "eve"].map(Some).contains(&gap["subject"].as_str()), "{gap}");
        assert!(gap["address"].as_str().is_some_and(|address| address.starts_with("127.0.0.1:")), "{gap}");
    }
    assert_eq!(shown["history"]["largest"][0]["topic"], "a.b");
    assert_eq!(shown["history"]["largest"][0]["messages"], 2);

    let end = |id: &str| client().post(format!("http://{admin}/debug/end?client={id}"));
    let id = of("eve")["client"].as_u64().expect("a number");
    let micros = (shown["uptime_seconds"].as_u64().expect("a number") + 1) * 1_000_000;
    assert!(id <= micros, "it is the time at which it came, which tells nothing of the process's memory: {id}");
    let id = &id.to_string();
    let as_of_another_site = soon(end(id).send()).await.expect("an answer");
    assert_eq!(as_of_another_site.status(), StatusCode::BAD_REQUEST);
    assert!(soon(as_of_another_site.text()).await.expect("a text").contains("send this header"));
    for (id, status) in [("x", 400), ("1", 400), (id, 204), (id, 400)] {
        let answer = soon(end(id).header("x-push-debug", "1").send()).await.expect("an answer");
        assert_eq!(answer.status(), status, "{id}");
    }
    let samples = until(admin, |samples| samples.sum("push_connections", &[]) < 1.5).await;
    assert!((samples.sum("push_connections_closed_total", &["reason=\"operator\""]) - 1.0).abs() < 0.1, "{samples:?}");
    assert_eq!(ada.texts(2).await, ["3", "4"], "who is not ended goes on");
    for (path, status) in [("/debug", 200), ("/assets/debug.js", 200), ("/debug/end", 405), ("/compare", 404)] {
        let answer = soon(client().get(format!("http://{admin}{path}")).send()).await.expect("an answer");
        assert_eq!(answer.status(), status, "{path}");
        let public = soon(client().get(format!("http://{address}{path}")).send()).await.expect("an answer");
        assert_eq!(public.status() == 404, path != "/compare", "{path} is not for everybody");
    }
}

/// A client shows with the address that a trusted proxy reports, and not with that of the proxy.
pub async fn a_client_behind_a_proxy_shows_with_its_own_address<S: Service>() {
    let flags = ["--admin-listen", "127.0.0.1:0", "--trusted-proxies", "127.0.0.0/8"];
    let (mut process, address) = S::PROGRAM.start(&flags).await;
    let admin = process.logged("listening for those who run the service", "address").await;
    let admin: SocketAddr = admin.parse().expect("an address");
    let request = S::request(address, "topic=main").header("x-forwarded-for", "192.0.2.1");
    let _client = RawClient::begin(address, request).await;
    let shown = debug(admin, |debug| debug["clients"]["slowest"][0].is_object()).await;
    assert_eq!(shown["clients"]["slowest"][0]["address"], "192.0.2.1");
}

/// A loss is on the next scrape, on `/debug` with the address of the client, and in the log once.
pub async fn a_loss_is_reported_everywhere<S: Service>() {
    let flags = ["--drain", "0", "--history", "2", "--admin-listen", "127.0.0.1:0"];
    let (mut process, address) = S::PROGRAM.start(&flags).await;
    let admin = process.logged("listening for those who run the service", "address").await;
    let admin: SocketAddr = admin.parse().expect("an address");
    let mut follower = S::follow(address, "topic=a").await;
    let first = publish_at(address, "a", "1").await;
    assert_eq!(follower.next().await, Received::message(&first, "1"));
    let messages: Vec<Value> = (2..=5).map(|number| json!({ "text": number.to_string() })).collect();
    let burst = client().post(format!("http://{address}/messages?topic=a")).json(&messages);
    assert_eq!(soon(burst.send()).await.expect("an answer").status(), StatusCode::CREATED);
    let Received::Gap { reason, since, cursor } = follower.next().await else { panic!("a gap comes first") };
    // A poll comes back after its loss, and a client that stays reads too slowly.
    assert!(["lagged", "expired"].contains(&reason.as_str()), "{reason}");
    assert_eq!(follower.texts(2).await, ["4", "5"]);

    let samples = Samples::of(admin).await;
    assert!((samples.sum("push_gaps_total", &[&format!("reason=\"{reason}\"")]) - 1.0).abs() < 0.1, "{samples:?}");
    assert!((samples.sum("push_gaps_total", &[]) - 1.0).abs() < 0.1, "{samples:?}");
    let shown = debug(admin, |_| true).await;
    let [gap] = shown["gaps"].as_array().expect("a list").as_slice() else { panic!("one gap: {shown}") };
    assert_eq!((&gap["reason"], &gap["since"], &gap["cursor"]), (&json!(reason), &json!(since), &json!(cursor)));
    let by = gap["address"].as_str().expect("a text");
    assert!(by.starts_with("127.0.0.1"), "{gap}");

    let line: Value = serde_json::from_str(&process.line_with("gap reported to a client").await).expect("JSON");
    assert_eq!((&line["address"], &line["since"], &line["cursor"]), (&json!(by), &json!(since), &json!(cursor)));
    assert_eq!(line["level"], "INFO");
    signal(&process, Signal::SIGTERM);
    let exit = process.ended().await;
    assert!(!exit.stderr.contains("gap reported"), "it is logged once: {exit:?}");
}
