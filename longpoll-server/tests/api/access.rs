//! A closed service.

use serde_json::{Value, json};
use testkit::access::assert_answer;
use testkit::tokens::{CLOSED, Case, assert_on_time, cases, short_token, token_with};
use testkit::{Server, client, soon};

use crate::helpers::{LongPolling, spawn_app, texts};

testkit::access_behaviours!(LongPolling);

async fn publish(server: &Server, text: &str) {
    let request = client().post(server.url("/messages?topic=a.b")).bearer_auth(token_with(json!({})));
    assert_eq!(soon(request.body(text.to_owned()).send()).await.unwrap().status(), 201);
}

async fn poll(server: &Server, query: &str, token: &str) -> reqwest::Response {
    soon(client().get(server.url(&format!("/poll?{query}"))).bearer_auth(token).send()).await.unwrap()
}

#[tokio::test]
async fn the_queue_gives_a_message_to_those_who_may_have_it() {
    let server = spawn_app(&CLOSED).await;
    let refused = |case: &Case| !case.subscribe.is_empty();
    publish(&server, "confidential").await;
    for Case { name, token, subscribe, .. } in cases().into_iter().filter(refused) {
        for (method, path) in
            [(reqwest::Method::GET, "/poll?topic=a.b&wait=0"), (reqwest::Method::HEAD, "/poll?topic=a.b")]
        {
            let mut request = client().request(method.clone(), server.url(path));
            if let Some(token) = &token {
                request = request.bearer_auth(token);
            }
            let answer = soon(request.send()).await.unwrap();
            // A pattern that is too narrow for another pattern may be wide enough for this topic.
            if name == "for a narrower pattern" {
                continue;
            } else if method == reqwest::Method::HEAD {
                assert_eq!(answer.status(), if subscribe == "forbidden" { 403 } else { 401 }, "{name}");
            } else {
                assert_answer(answer, subscribe, &format!("the queue with a token {name}")).await;
            }
        }
    }
    publish(&server, "next").await;
    let message: Value = soon(poll(&server, "topic=a.b", &token_with(json!({}))).await.json()).await.unwrap();
    assert_eq!(message["text"], "next", "the token for a narrower pattern has taken the one before, and no other has");
}

#[tokio::test]
async fn a_held_poll_is_answered_when_its_token_ends() {
    let server = spawn_app(&CLOSED).await;
    for (query, status) in [("topic=a.b&since=now&wait=50", 200), ("topic=a.b&wait=50", 204)] {
        let (token, end) = short_token();
        let answer = poll(&server, query, &token).await;
        assert_on_time(end);
        assert_eq!(answer.status(), status, "{query}");
    }
}

#[tokio::test]
async fn a_poll_goes_on_from_its_cursor_with_another_token() {
    let server = spawn_app(&CLOSED).await;
    let (token, _) = short_token();
    let page: Value = soon(poll(&server, "topic=a.b&since=now&wait=50", &token).await.json()).await.unwrap();
    publish(&server, "between").await;
    let since = page["cursor"].as_str().unwrap();
    let page = poll(&server, &format!("topic=a.b&since={since}"), &token_with(json!({}))).await;
    assert_eq!(texts(&soon(page.json()).await.unwrap()), ["between"]);
}
