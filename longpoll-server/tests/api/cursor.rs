//! Polls with a cursor: the messages after it, at once or as soon as there are some.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::{publish, publish_array, publish_each};

use crate::helpers::{Answer, ask, cursor, hold, poll, settle, spawn_app, texts};

#[tokio::test]
async fn what_is_there_is_answered_at_once() {
    let server = spawn_app(&[]).await;
    let ids = publish_each(&server, "main", &["1", "2", "3"]).await;
    let response = ask(&server, &format!("since={}", ids[0])).await;
    assert_eq!(response.headers()["cache-control"], "no-store");
    let page: Value = response.json().await.unwrap();
    assert_eq!(texts(&page), ["2", "3"]);
    let message = &page["messages"][0];
    let expected = json!({ "id": ids[1], "topic": "main", "text": "2", "at": message["at"] });
    assert_eq!(message, &expected);
    assert_eq!(page, json!({ "messages": page["messages"], "cursor": ids[2], "more": false, "gap": null }));
}

#[tokio::test]
async fn a_poll_that_finds_nothing_is_held_until_there_is_something() {
    let server = spawn_app(&[]).await;
    let last = publish(&server, "main", "last").await;
    let mut now = hold(&server, "since=now").await;
    let mut at = hold(&server, &format!("since={last}&topic=main")).await;
    let mut wild = hold(&server, &format!("since={last}&topic=other&topic=m*&topic=*")).await;
    assert_eq!(Answer::read(&mut wild).await.status, 400, "half a token is no wildcard");
    let mut wild = hold(&server, &format!("since={last}&topic=other&topic=*")).await;
    publish(&server, "a.b", "not followed").await;
    settle(&server).await;
    let id = publish(&server, "main", "news").await;
    for client in [&mut now, &mut at, &mut wild] {
        let answer = Answer::read(client).await;
        assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
        let page = answer.json();
        assert_eq!((texts(&page), cursor(&page)), (vec!["news"], &id[..]));
        assert_eq!((&page["more"], &page["gap"]), (&json!(false), &Value::Null));
    }
}

#[tokio::test]
async fn a_poll_that_runs_out_of_time_has_the_shape_of_any_other() {
    let server = spawn_app(&["--hold", "100ms"]).await;
    let last = publish(&server, "main", "last").await;
    for (query, millis) in [("", 80), ("&wait=0", 0), ("&wait=0.2", 200), ("&wait=150ms", 150)] {
        let asked = Instant::now();
        let response = ask(&server, &format!("since={last}{query}")).await;
        assert!(asked.elapsed() >= Duration::from_millis(millis), "{query:?} was not held");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["cache-control"], "no-store");
        let page: Value = response.json().await.unwrap();
        assert_eq!(page, json!({ "messages": [], "cursor": last, "more": false, "gap": null }));
    }
}

#[tokio::test]
async fn a_poll_that_finds_nothing_moves_the_client_on_past_what_it_does_not_follow() {
    let server = spawn_app(&["--history", "1"]).await;
    let id = publish(&server, "busy", "-").await;
    let page = poll(&server, "topic=quiet&since=earliest&wait=0").await;
    assert_eq!((texts(&page), cursor(&page)), (vec![], &id[..]));
}

#[tokio::test]
async fn a_page_has_a_flag_for_more() {
    let server = spawn_app(&[]).await;
    publish_each(&server, "main", &["1", "2", "3", "4", "5"]).await;
    let mut since = "earliest".to_owned();
    for (expected, more) in [(&["1", "2"][..], true), (&["3", "4"], true), (&["5"], false), (&[], false)] {
        let page = poll(&server, &format!("since={since}&limit=2&wait=0")).await;
        assert_eq!((&texts(&page)[..], &page["more"]), (expected, &json!(more)));
        since = cursor(&page).to_owned();
    }
    let page = poll(&server, "since=earliest&limit=5").await;
    assert_eq!((texts(&page).len(), &page["more"]), (5, &json!(false)), "all there is is not more");
}

#[tokio::test]
async fn a_burst_comes_in_one_answer() {
    let server = spawn_app(&[]).await;
    let mut all = hold(&server, "since=now").await;
    let mut some = hold(&server, "since=now&limit=3").await;
    let burst: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    let burst: Vec<&str> = burst.iter().map(String::as_str).collect();
    let ids = publish_array(&server, "main", &burst).await;

    let page = Answer::read(&mut all).await.json();
    assert_eq!((texts(&page), &page["more"]), (burst.clone(), &json!(false)));
    let page = Answer::read(&mut some).await.json();
    assert_eq!((texts(&page), &page["more"]), (burst[..3].to_vec(), &json!(true)));
    assert_eq!(cursor(&page), ids[2]);
}

#[tokio::test]
async fn a_message_with_an_event_name_has_it_in_the_page() {
    let server = spawn_app(&[]).await;
    let body = json!({ "text": "a \"b\"\n你好", "event": "news" });
    let request = testkit::client().post(server.url("/messages")).json(&body);
    assert_eq!(request.send().await.unwrap().status(), 201);
    let page = poll(&server, "since=earliest").await;
    assert_eq!(page["messages"][0]["text"], body["text"]);
    assert_eq!(page["messages"][0]["event"], "news");
}
