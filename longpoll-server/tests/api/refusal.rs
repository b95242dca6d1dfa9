//! Polls that make no sense: each is refused with its reason, in JSON.

use testkit::{assert_refused, client, publish, soon};

use crate::helpers::{Answer, LongPolling, ask, hold, spawn_app};

testkit::behaviours!(LongPolling:
    refusal::topics_that_are_no_topics_are_refused,
    refusal::cursors_that_are_no_cursors_are_refused,
    refusal::a_client_beyond_the_most_connections_is_refused_for_now,
);

#[tokio::test]
async fn a_parameter_that_makes_no_sense_is_refused() {
    let server = spawn_app(&[]).await;
    // The first round has nothing to answer, the second a message; that makes no difference.
    for _ in 0..2 {
        for (query, error) in [
            ("topic=", "bad_topic"),
            ("topic=a..b", "bad_topic"),
            ("since=now&topic=a.%3E.b", "bad_topic"),
            ("since=", "bad_cursor"),
            ("since=yesterday", "bad_cursor"),
            ("since=42", "bad_cursor"),
            ("since=earliest&wait=56", "bad_parameter"),
            ("since=earliest&wait=1m", "bad_parameter"),
            ("since=earliest&wait=-1", "bad_parameter"),
            ("since=earliest&wait=NaN", "bad_parameter"),
            ("since=earliest&wait=soon", "bad_parameter"),
            ("since=earliest&limit=0", "bad_parameter"),
            ("since=earliest&limit=1001", "bad_parameter"),
            ("since=earliest&limit=all", "bad_parameter"),
            ("wait=56", "bad_parameter"),
            ("limit=1", "bad_parameter"),
            ("topic=orders.*", "bad_topic"),
            ("topic=%3E", "bad_topic"),
            ("topic=a&topic=b", "bad_parameter"),
            ("topic=a&topic=a", "bad_parameter"),
            ("since=now&since=earliest", "bad_parameter"),
            ("wait=1&wait=1", "bad_parameter"),
            ("since=now&topics=a", "unknown_parameter"),
            ("timeout=1", "unknown_parameter"),
        ] {
            assert_refused(ask(&server, query).await, 400, error).await;
        }
        publish(&server, "main", "something").await;
    }
    assert_eq!(ask(&server, "since=earliest&wait=55&limit=1000").await.status(), 200);
}

#[tokio::test]
async fn a_poll_is_a_get() {
    let server = spawn_app(&[]).await;
    let response = soon(client().post(server.url("/poll")).send()).await.unwrap();
    assert_eq!(response.headers()["allow"], "GET, HEAD");
    assert_refused(response, 405, "method_not_allowed").await;
}

#[tokio::test]
async fn a_poll_takes_no_body_and_no_upgrade() {
    let server = spawn_app(&[]).await;
    for query in ["", "since=now"] {
        let url = server.url(&format!("/poll?{query}"));
        let response = soon(client().get(&url).body("why?").send()).await.unwrap();
        assert_refused(response, 400, "unexpected_body").await;
        let upgrade = client().get(&url).header("Connection", "Upgrade").header("Upgrade", "websocket");
        assert_refused(soon(upgrade.send()).await.unwrap(), 400, "unexpected_upgrade").await;
    }
}

#[tokio::test]
async fn a_poll_keeps_the_place_of_its_connection() {
    let server = spawn_app(&["--max-connections", "1"]).await;
    let mut held = hold(&server, "wait=0.5").await;
    assert_refused(ask(&server, "since=now").await, 503, "full").await;
    assert_eq!(Answer::read(&mut held).await.status, 204);
    held.send("GET /poll?wait=0 HTTP/1.1\r\nhost: test\r\n\r\n").await;
    assert_eq!(Answer::read(&mut held).await.status, 204);
}
