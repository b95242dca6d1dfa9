//! `POST /messages`: what can be published, and how it is answered.

use serde_json::{Value, json};
use testkit::soon;

use crate::service::Service;

#[tokio::test]
async fn a_json_object_is_one_message() {
    let service = Service::start(&[]).await;
    let answer = service.post("?topic=orders.new", "application/json", r#"{"text":"hi 你好","event":"news"}"#).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let placed = answer.json();
    assert_eq!(placed.as_object().unwrap().len(), 3, "id, topic and at: {placed}");
    assert_eq!(placed["topic"], "orders.new");

    let page = service.get("/messages?topic=orders.new").await.json();
    let (id, at) = (&placed["id"], &placed["at"]);
    assert_eq!(
        page["messages"],
        json!([{ "id": id, "topic": "orders.new", "text": "hi 你好", "event": "news", "at": at }])
    );
    let at = at.as_str().unwrap();
    assert!(at.parse::<jiff::Timestamp>().is_ok() && at.ends_with('Z') && at.len() == 24, "{at}");
}

#[tokio::test]
async fn without_a_topic_it_is_main_and_without_an_event_there_is_none() {
    let service = Service::start(&[]).await;
    assert_eq!(service.post("", "application/json", r#"{"text":""}"#).await.text("topic"), "main");
    let page = service.get("/messages").await.json();
    assert_eq!(page["messages"][0]["text"], "");
    assert_eq!(page["messages"][0].get("event"), None);
}

#[tokio::test]
async fn an_array_is_answered_by_an_array_in_the_same_order() {
    let service = Service::start(&[]).await;
    let body = r#" [{"text":"1"},{"text":"2","event":"e"},{"text":"3"}]"#;
    let answer = service.post("", "application/json", body).await;
    assert_eq!(answer.status, 201);
    let placed: Vec<Value> = answer.json().as_array().unwrap().clone();
    let page = service.get("/messages").await.json();
    let ids: Vec<&Value> = page["messages"].as_array().unwrap().iter().map(|message| &message["id"]).collect();
    assert_eq!(ids, placed.iter().map(|placed| &placed["id"]).collect::<Vec<_>>());
    assert_eq!(service.held("main"), ["1", "2", "3"]);

    let one = service.post("", "application/json", r#"[{"text":"4"}]"#).await;
    assert_eq!(one.json().as_array().unwrap().len(), 1, "an array of one is an array");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_array_stays_together_whatever_is_published_meanwhile() {
    let service = std::sync::Arc::new(Service::start(&[]).await);
    let publishers: Vec<_> = (0..8)
        .map(|publisher| {
            let service = std::sync::Arc::clone(&service);
            tokio::spawn(async move {
                for _ in 0..10 {
                    let drafts: Vec<_> = (0..5).map(|n| json!({ "text": format!("{publisher}.{n}") })).collect();
                    let answer = service.post("", "application/json", json!(drafts).to_string()).await;
                    assert_eq!(answer.status, 201, "{answer:?}");
                }
            })
        })
        .collect();
    for publisher in publishers {
        soon(publisher).await.unwrap();
    }
    let held = service.held("main");
    assert_eq!(held.len(), 8 * 10 * 5);
    for together in held.chunks(5) {
        let publisher = &together[0][..1];
        assert_eq!(together, [0, 1, 2, 3, 4].map(|n| format!("{publisher}.{n}")));
    }
}

#[tokio::test]
async fn any_type_that_is_not_json_is_the_text_itself() {
    let service = Service::start(&[]).await;
    let types = ["text/plain", "text/plain; charset=UTF-8", "text/html", "application/octet-stream", "nonsense"];
    for content_type in types {
        let answer = service.post("", content_type, "{\"text\": <b>\r\n").await;
        assert_eq!(answer.status, 201, "{content_type}: {answer:?}");
    }
    let without = service.send(service.posting("").body("{\"text\": <b>\r\n")).await;
    assert_eq!(without.status, 201);
    assert_eq!(service.held("main"), ["{\"text\": <b>\r\n"; 6]);
}

#[tokio::test]
async fn any_json_type_is_json() {
    let service = Service::start(&[]).await;
    for content_type in
        ["application/foo+json", "Application/JSON", "application/json; charset=\"utf-8\"", "x/y+json;v=1"]
    {
        let answer = service.post("", content_type, r#"{"text":"t"}"#).await;
        assert_eq!(answer.status, 201, "{content_type}: {answer:?}");
    }
    assert_eq!(service.held("main"), ["t"; 4]);
}

#[tokio::test]
async fn text_arrives_as_it_was_sent() {
    let service = Service::start(&[]).await;
    for text in ["\u{feff}bom", "\0", " \n\r\t ", "\"\\/\u{8}\u{c}\u{7f}\u{2028}", "𝄞 e\u{301}", &"长".repeat(20_000)]
    {
        service.publish("main", text).await;
        let page = service.get("/messages?limit=1000").await.json();
        assert_eq!(page["messages"].as_array().unwrap().last().unwrap()["text"], text);
    }
}

#[tokio::test]
async fn a_body_in_chunks_is_a_body() {
    let service = Service::start(&[]).await;
    let chunks = [r#"{"te"#, r#"xt":"#, r#""x"}"#].map(Ok::<_, std::io::Error>);
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    assert_eq!(service.post("", "application/json", body).await.status, 201);
    assert_eq!(service.held("main"), ["x"]);
}

#[tokio::test]
async fn a_repeat_under_the_same_key_gets_the_first_answer() {
    let service = Service::start(&[]).await;
    for body in [r#"{"text":"one"}"#, r#"[{"text":"1"},{"text":"2"}]"#] {
        let key = format!("\"key-{}\"", body.len());
        let request = || service.posting("").header("idempotency-key", &key).header("content-type", "application/json");
        let first = service.send(request().body(body)).await;
        service.publish("main", "between").await;
        let again = service.send(request().body(body)).await;
        assert_eq!((first.status, again.status), (201, 200));
        assert_eq!(again.json(), marked_as_repeated(first.json()));
    }
    assert_eq!(service.held("main"), ["one", "between", "1", "2", "between"]);
}

/// The first answer as it is given to a repeat.
fn marked_as_repeated(mut answer: Value) -> Value {
    match &mut answer {
        Value::Array(each) => each.iter_mut().for_each(|placed| placed["repeated"] = json!(true)),
        placed => placed["repeated"] = json!(true),
    }
    answer
}

#[tokio::test]
async fn another_publication_under_a_used_key_is_refused() {
    let service = Service::start(&[]).await;
    let publish = |query: &str, body: &str| {
        let request = service.posting(query).header("idempotency-key", "k").header("content-type", "application/json");
        service.send(request.body(body.to_owned()))
    };
    let body = r#"[{"text":"1"},{"text":"2","event":"e"}]"#;
    assert_eq!(publish("", body).await.status, 201);
    for (query, other) in [
        ("?topic=other", body),
        ("", r#"[{"text":"1"},{"text":"3","event":"e"}]"#),
        ("", r#"[{"text":"1"},{"text":"2"}]"#),
        ("", r#"[{"text":"1"},{"text":"2","event":"f"}]"#),
        ("", r#"[{"text":"1"}]"#),
        ("", r#"[{"text":"1"},{"text":"2","event":"e"},{"text":"3"}]"#),
        ("", r#"[{"text":"12"},{"text":"","event":"e"}]"#),
        ("", r#"{"text":"1"}"#),
    ] {
        publish(query, other).await.assert_error(422, "key_reused", "a new key");
    }
    assert_eq!(publish("", r#" [ {"text":"1"}, {"event":"e","text":"\u0032"} ] "#).await.status, 200);
    assert_eq!((service.held("main"), service.held("other")), (vec!["1".into(), "2".into()], vec![]));
}

#[tokio::test]
async fn above_the_most_keys_publishing_with_a_key_is_refused_for_now() {
    let service = Service::start(&["--idempotency-keys", "1"]).await;
    let with_key = |key| service.send(service.posting("").header("idempotency-key", key).body("x"));
    assert_eq!(with_key("one").await.status, 201);
    with_key("two").await.assert_error(429, "too_many_keys", "--idempotency-keys");
    assert_eq!(with_key("one").await.status, 200);
    service.publish("main", "without a key").await;
    assert_eq!(service.held("main").len(), 2);
}

#[tokio::test]
async fn the_longest_array_is_taken_and_a_longer_one_is_not() {
    let service = Service::start(&[]).await;
    let array = |count| json!(vec![json!({ "text": "m" }); count]).to_string();
    let refused = service.post("", "application/json", array(1001)).await;
    refused.assert_error(413, "too_many_messages", "1000 messages");
    assert!(service.held("main").is_empty(), "of an array that is too long nothing is taken");
    assert_eq!(service.post("", "application/json", array(1000)).await.status, 201);

    let service = Service::start(&["--max-array", "2"]).await;
    service.post("", "application/json", array(3)).await.assert_error(413, "too_many_messages", "--max-array");
    // It is read no further than needed, so this is not found to be no JSON.
    let unfinished = array(3).replace(']', ",x");
    service.post("", "application/json", unfinished).await.assert_error(413, "too_many_messages", "--max-array");
    assert_eq!(service.post("", "application/json", array(2)).await.status, 201);
}

#[tokio::test]
async fn the_largest_message_is_taken_and_a_larger_one_is_not() {
    let service = Service::start(&["--max-message-bytes", "100"]).await;
    service.publish("main", &"x".repeat(100)).await;
    let refused = service.post("", "text/plain", "x".repeat(101)).await;
    refused.assert_error(413, "too_large", "--max-message-bytes");
    let event = json!({ "text": "x".repeat(96), "event": "news" });
    assert_eq!(service.post("", "application/json", event.to_string()).await.status, 201);
    let event = json!([{ "text": "fits" }, { "text": "x".repeat(97), "event": "news" }]);
    let refused = service.post("", "application/json", event.to_string()).await;
    refused.assert_error(413, "too_large", "100 bytes");
    assert_eq!(service.held("main").len(), 2, "of an array with a message too large nothing is taken");
}

/// RFC 8259, section 8.1: a parser may ignore a byte order mark, which editors and .NET put before their JSON.
#[tokio::test]
async fn a_byte_order_mark_before_json_is_passed_over() {
    let service = Service::start(&[]).await;
    for body in ["\u{feff}{\"text\":\"one\"}", "\u{feff} [{\"text\":\"two\"}]"] {
        let answer = service.post("", "application/json", body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    let twice = service.post("", "application/json", "\u{feff}\u{feff}{\"text\":\"x\"}").await;
    twice.assert_error(400, "bad_json", "text");
    assert_eq!(service.post("", "text/plain", "\u{feff}three").await.status, 201);
    assert_eq!(service.held("main"), ["one", "two", "\u{feff}three"]);
}
