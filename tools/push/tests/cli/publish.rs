//! `push pub`

use e2e::proxy::Proxy;
use e2e::service::Method;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::forgetful::Forgetful;
use crate::helpers::{Running, held, push, push_with, service, shell, text};
use crate::stub::{Answer, Stub};

fn texts(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(text).collect()
}

#[tokio::test]
async fn a_text_is_published_on_every_service() {
    for method in Method::ALL {
        let service = service(method, &[]).await;
        let ended = push(&["pub", "orders.new", "--event", "created", "4 < 2", "--url", &service.url("")]).await;
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
        let held = held(&service, "orders.new").await;
        assert_eq!((text(&held[0]), &held[0]["event"], held.len()), ("4 < 2", &json!("created"), 1));
        assert_eq!(ended.json()[0]["id"], held[0]["id"]);
    }
}

#[tokio::test]
async fn every_line_is_published_once_and_in_order() {
    const LINES: usize = 100_000;
    let service = service(Method::Sse, &["--history", "200000", "--history-bytes", "200MB"]).await;
    let lines: Vec<String> = (1..=LINES).map(|line| line.to_string()).collect();
    let ended = push_with(&["pub", "main", "-", "--url", &service.url("")], &lines.join("\n")).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    let held = held(&service, "main").await;
    assert_eq!(texts(&held), lines);
    let (first, last) = (&held[0]["id"], &held[LINES - 1]["id"]);
    assert_eq!(ended.json(), [json!({ "published": LINES, "repeated": 0, "first": first, "last": last })]);
}

#[tokio::test]
async fn a_line_is_sent_when_it_comes() {
    let service = service(Method::Ws, &[]).await;
    let mut follower = Running::follow(&["--url", &service.url("")]).await;
    let mut publisher = Running::start(&["pub", "main", "-", "--url", &service.url("")]);
    for line in ["one", "", " two "] {
        publisher.send(&format!("{line}\r\n")).await;
        assert_eq!(follower.texts(1).await, [line]);
    }
    publisher.end_input();
    let ended = publisher.ended().await;
    assert_eq!((ended.code, &ended.json()[0]["published"]), (Some(0), &json!(3)), "{ended:?}");
}

#[tokio::test]
async fn arrays_are_as_small_as_the_service_asks_for() {
    let service = service(Method::Poll, &["--max-array", "7", "--max-body-bytes", "400"]).await;
    let lines: Vec<String> = (0..100).map(|line| format!("{line} {}", "x".repeat(line))).collect();
    let ended = push_with(&["pub", "main", "-", "--url", &service.url("")], &lines.join("\n")).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(texts(&held(&service, "main").await), lines);
}

#[tokio::test]
async fn a_repeat_under_the_same_key_appends_nothing() {
    let service = service(Method::Sse, &[]).await;
    let url = service.url("");
    let arguments = ["pub", "main", "-", "--key", "k1", "--url", &url];
    let lines = "a\nb\nc\n";
    for repeated in [0, 3] {
        let ended = push_with(&arguments, lines).await;
        let counts = [&ended.json()[0]["published"], &ended.json()[0]["repeated"]].map(Value::clone);
        assert_eq!((ended.code, counts), (Some(0), [json!(3), json!(repeated)]), "{ended:?}");
    }
    assert_eq!(texts(&held(&service, "main").await), ["a", "b", "c"]);
    // Other lines under the same key are refused as a whole.
    let ended = push_with(&arguments, "a\nb\nother\n").await;
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stderr.contains("422 key_reused") && ended.stderr.contains("no line was confirmed"), "{ended:?}");
    assert_eq!(held(&service, "main").await.len(), 3);
}

#[tokio::test]
async fn lines_that_come_slowly_make_the_same_arrays_under_a_key() {
    let service = service(Method::Sse, &["--history", "5000"]).await;
    let url = service.url("");
    let arguments = ["pub", "main", "-", "--key", "k1", "--url", &url];
    let lines: Vec<String> = (1..=2000).map(|line| format!("{line}\n")).collect();
    let mut publisher = Running::start(&arguments);
    publisher.send(&lines[..1500].concat()).await;
    // A whole array is sent, and what follows it waits for more.
    testkit::soon(async { while held(&service, "main").await.len() != 1000 {} }).await;
    publisher.send(&lines[1500..].concat()).await;
    let ended = publisher.ended().await;
    assert_eq!((ended.code, &ended.json()[0]["repeated"]), (Some(0), &json!(0)), "{ended:?}");
    let ended = push_with(&arguments, &lines.concat()).await;
    assert_eq!((ended.code, &ended.json()[0]["repeated"]), (Some(0), &json!(2000)), "{ended:?}");
    assert_eq!(held(&service, "main").await.len(), 2000);
}

#[tokio::test]
async fn lines_are_repeated_over_a_connection_that_is_cut() {
    let service = service(Method::Sse, &[]).await;
    let mut proxy = Proxy::start(service.address()).await.unwrap();
    let mut publisher = Running::start(&["pub", "main", "-", "--url", &proxy.url("")]);
    publisher.send("before\n").await;
    let mut follower = Running::follow(&["--url", &service.url(""), "--since", "earliest"]).await;
    assert_eq!(follower.texts(1).await, ["before"]);
    proxy.cut();
    publisher.send("during\n").await;
    proxy.refusal().await.unwrap();
    publisher.said("not confirmed yet").await;
    proxy.mend();
    assert_eq!(follower.texts(1).await, ["during"]);
    let ended = publisher.ended().await;
    assert_eq!((ended.code, &ended.json()[0]["published"]), (Some(0), &json!(2)), "{ended:?}");
    assert_eq!(texts(&held(&service, "main").await), ["before", "during"]);
}

#[tokio::test]
async fn an_answer_that_is_lost_makes_no_message_twice() {
    let service = service(Method::Poll, &["--history", "5000"]).await;
    let relay = Forgetful::start(service.address()).await;
    let lines: Vec<String> = (1..=1500).map(|line| line.to_string()).collect();
    let ended = push_with(&["pub", "main", "-", "--key", "k1", "--url", &relay.url], &lines.join("\n")).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(
        (&ended.json()[0]["published"], &ended.json()[0]["repeated"]),
        (&json!(1500), &json!(1000)),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("not confirmed yet: "), "{ended:?}");
    assert_eq!(texts(&held(&service, "main").await), lines);
}

#[tokio::test]
async fn an_interruption_is_reported_with_its_lines() {
    let service = service(Method::Ws, &[]).await;
    let mut publisher = Running::start(&["pub", "main", "-", "--url", &service.url("")]);
    publisher.send("one\ntwo\n").await;
    testkit::soon(async { while held(&service, "main").await.len() != 2 {} }).await;
    kill(Pid::from_raw(publisher.id()), Signal::SIGINT).unwrap();
    let line = publisher.said("interrupted: ").await;
    let ended = publisher.ended().await;
    assert_eq!(ended.code, Some(130), "{ended:?}");
    // The messages are there a moment before they are confirmed.
    let published = ended.json()[0]["published"].as_u64().unwrap();
    let expected = if published == 2 { "the 2 lines that were read are" } else { "may be published or not" };
    assert!(line.contains(expected), "{line}");
}

#[tokio::test]
async fn a_loss_is_reported_with_its_lines() {
    let mut service = service(Method::Sse, &[]).await;
    let url = service.url("");
    let mut publisher = Running::start(&["pub", "main", "-", "--url", &url, "--retry-for", "1s"]);
    let mut follower = Running::follow(&["--url", &url, "--since", "earliest"]).await;
    publisher.send("one\n").await;
    follower.texts(1).await;
    service.stop().await.unwrap();
    publisher.send("two\n").await;
    let ended = publisher.ended().await;
    assert_eq!((ended.code, &ended.json()[0]["published"]), (Some(1), &json!(1)), "{ended:?}");
    assert!(ended.stderr.contains("lines 1 to 1 are published, line 2 "), "{ended:?}");
}

#[tokio::test]
async fn a_line_that_is_refused_is_reported() {
    let service = service(Method::Sse, &["--max-message-bytes", "10"]).await;
    let lines = "one\ntwo\nthis one is too long\nfour\n";
    let ended = push_with(&["pub", "main", "-", "--url", &service.url("")], lines).await;
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(
        ended.stderr.contains("413 too_large") && ended.stderr.contains("line 3 and what follows are not"),
        "{ended:?}"
    );
    assert_eq!(texts(&held(&service, "main").await), ["one", "two"]);
    let ended = shell(&format!("printf 'a\\nb\\xff\\nc\\n' | $PUSH pub main - --url {}", service.url(""))).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("line 2 was not published, nor what follows it: it is not UTF-8"), "{ended:?}");
    assert_eq!(texts(&held(&service, "main").await), ["one", "two", "a"]);
}

#[tokio::test]
async fn a_service_that_asks_to_wait_is_waited_for() {
    let service = service(Method::Ws, &["--publish-rate", "50"]).await;
    let url = service.url("");
    let ended = push_with(&["pub", "main", "-", "--url", &url], &"x\n".repeat(200)).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    // Three seconds are owed, and the limit of the repeats does not count for it.
    let ended = push(&["pub", "main", "y", "--url", &url, "--retry-for", "0"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("429 too_fast"), "{ended:?}");
    assert_eq!(held(&service, "main").await.len(), 201);
}

#[tokio::test]
async fn a_refusal_for_now_without_an_exact_time_is_given_up() {
    for answer in [
        Answer::error(429, "too_many_topics", Some("1")),
        // That of a proxy.
        Answer::Status(429, "Retry-After: 1\r\n".to_owned(), String::new()),
    ] {
        let stub = Stub::start(move |_, _| answer.clone()).await;
        let ended = push(&["pub", "main", "x", "--url", &stub.url, "--retry-for", "0"]).await;
        assert!(ended.code == Some(1) && ended.stderr.contains("429"), "{ended:?}");
    }
}

#[tokio::test]
async fn an_array_that_is_in_doubt_is_not_split() {
    let (requests, mut seen) = tokio::sync::watch::channel(0);
    let stub = Stub::start(move |number, _| {
        requests.send_replace(number);
        if number == 1 { Answer::Lost } else { Answer::error(413, "too_large", None) }
    })
    .await;
    let arguments = ["pub", "main", "-", "--key", "k1", "--url", &stub.url];
    let ended = push_with(&arguments, "a\nb\nc\nd\n").await;
    assert_eq!((ended.code, *seen.borrow_and_update()), (Some(3), 2), "{ended:?}");
    assert!(ended.stderr.contains("lines 1 to 4 may be published or not"), "{ended:?}");
}
