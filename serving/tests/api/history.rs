//! `GET /messages`: pages of history.

use serde_json::{Value, json};
use serving::access::Access;

use crate::service::Service;

fn texts(page: &Value) -> Vec<&str> {
    page["messages"].as_array().unwrap().iter().map(|message| message["text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_page_has_the_shape_of_the_contract() {
    let service = Service::start(&[]).await;
    let answer = service.get("/messages").await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
    let empty = answer.json();
    let cursor = empty["cursor"].as_str().unwrap();
    assert_eq!(empty, json!({ "messages": [], "cursor": cursor, "more": false, "gap": null }));
    let id = service.publish("main", "m").await;
    let page = service.get(&format!("/messages?since={cursor}")).await.json();
    assert_eq!(
        (texts(&page), &page["cursor"]),
        (vec!["m"], &json!(id)),
        "an empty history's cursor is one to go on from"
    );
}

#[tokio::test]
async fn walking_from_cursor_to_cursor_reads_everything_once() {
    let service = Service::start(&[]).await;
    let mut published = Vec::new();
    for n in 0..25 {
        published.push(n.to_string());
        service.publish(["a", "b", "c.d"][n % 3], &n.to_string()).await;
    }
    for topics in ["topic=a&topic=b&topic=c.d", "topic=>", "topic=%3E&topic=a", "topic=*&topic=c.*"] {
        for limit in [1, 4, 5, 25, 1000] {
            let (mut since, mut read) = ("earliest".to_owned(), Vec::new());
            loop {
                let page = service.get(&format!("/messages?{topics}&limit={limit}&since={since}")).await.json();
                assert_eq!(page["gap"], Value::Null);
                assert!(texts(&page).len() <= limit);
                read.extend(texts(&page).into_iter().map(str::to_owned));
                since = page["cursor"].as_str().unwrap().to_owned();
                if page["more"] == false {
                    break;
                }
                assert_eq!(texts(&page).len(), limit, "a page is full where there is more");
            }
            assert_eq!(read, published, "{topics}, {limit} a page");
        }
    }
}

#[tokio::test]
async fn a_page_holds_100_messages_by_default() {
    let service = Service::start(&[]).await;
    let drafts = json!(vec![json!({ "text": "m" }); 101]).to_string();
    assert_eq!(service.post("", "application/json", drafts).await.status, 201);
    let page = service.get("/messages").await.json();
    assert_eq!((texts(&page).len(), &page["more"]), (100, &json!(true)));
    let page = service.get("/messages?limit=1000").await.json();
    assert_eq!((texts(&page).len(), &page["more"]), (101, &json!(false)));
}

#[tokio::test]
async fn large_messages_make_a_page_shorter_and_not_incomplete() {
    let service = Service::start(&["--max-message-bytes", "1 MiB", "--max-body-bytes", "2 MiB"]).await;
    for n in 0..6 {
        service.publish("main", &n.to_string().repeat(1 << 20)).await;
    }
    let first = service.get("/messages").await.json();
    assert_eq!(first["more"], true);
    let rest = service.get(&format!("/messages?since={}", first["cursor"].as_str().unwrap())).await.json();
    let firsts: Vec<_> = texts(&first).into_iter().chain(texts(&rest)).map(|text| &text[..1]).collect();
    assert_eq!(firsts, ["0", "1", "2", "3", "4", "5"]);
    assert!(!texts(&rest).is_empty() && rest["more"] == false);
}

/// A control character is one byte of text and six of JSON.
#[tokio::test]
async fn the_limit_of_a_page_counts_the_bytes_that_are_sent() {
    const LIMIT: usize = 4 << 20;
    let service = Service::start(&[]).await;
    let text = "\u{1}".repeat(64 << 10);
    for _ in 0..20 {
        service.publish("main", &text).await;
    }
    let (mut since, mut received, mut pages) = ("earliest".to_owned(), 0, 0);
    loop {
        let answer = service.get(&format!("/messages?limit=1000&since={since}")).await;
        assert!(answer.body.len() < LIMIT + 1024, "{} bytes", answer.body.len());
        assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()));
        let page = answer.json();
        received += texts(&page).iter().filter(|received| **received == text).count();
        pages += 1;
        since = page["cursor"].as_str().unwrap().to_owned();
        if page["more"] == false {
            break;
        }
        assert!(answer.body.len() > LIMIT / 2, "a page is full where there is more");
    }
    assert_eq!((received, pages), (20, 2));
}

#[tokio::test]
async fn since_is_a_cursor_or_now_or_earliest() {
    let service = Service::start(&[]).await;
    let first = service.publish("main", "1").await;
    let other = service.publish("other", "2").await;
    let last = service.publish("main", "3").await;
    for (since, expected) in
        [("earliest", &["1", "3"][..]), ("now", &[]), (&first, &["3"]), (&other, &["3"]), (&last, &[])]
    {
        let page = service.get(&format!("/messages?since={since}")).await.json();
        assert_eq!((texts(&page), &page["gap"]), (expected.to_vec(), &Value::Null), "{since}");
        assert_eq!(page["cursor"], *last, "{since}");
    }
}

#[tokio::test]
async fn a_client_that_comes_back_too_late_finds_the_gap_in_the_page() {
    let service = Service::start(&["--history", "2"]).await;
    let mut ids = Vec::new();
    for n in 1..=4 {
        ids.push(service.publish("main", &n.to_string()).await);
    }
    let page = service.get(&format!("/messages?since={}", ids[0])).await.json();
    assert_eq!(page["gap"], json!({ "reason": "expired", "since": ids[0], "cursor": ids[1] }));
    assert_eq!((texts(&page), &page["cursor"]), (vec!["3", "4"], &json!(ids[3])));
    let page = service.get(&format!("/messages?since={}", ids[1])).await.json();
    assert_eq!(page["gap"], Value::Null);
    let page = service.get("/messages?since=earliest").await.json();
    assert_eq!((&page["gap"], texts(&page)), (&Value::Null, vec!["3", "4"]));
}

#[tokio::test]
async fn a_restart_is_a_gap_for_a_client_that_comes_back() {
    let before = Service::start(&[]).await.publish("main", "before").await;
    let service = Service::start(&[]).await;
    service.publish("main", "after").await;
    let page = service.get(&format!("/messages?since={before}")).await.json();
    assert_eq!((&page["gap"]["reason"], &page["gap"]["since"]), (&json!("epoch"), &json!(before)));
    assert_eq!(texts(&page), ["after"]);
}

#[tokio::test]
async fn wildcards_and_several_topics_are_one_page() {
    let service = Service::start(&[]).await;
    for topic in ["orders.new", "orders.new.eu", "orders", "main", "orders.old"] {
        service.publish(topic, topic).await;
    }
    for (query, expected) in [
        ("?topic=orders.*", &["orders.new", "orders.old"][..]),
        ("?topic=orders.%3E", &["orders.new", "orders.new.eu", "orders.old"]),
        ("?topic=orders.*&topic=main&topic=orders.new", &["orders.new", "main", "orders.old"]),
        ("", &["main"]),
        ("?topic=nothing.here", &[]),
        ("?_=passed-over&topic=orders", &["orders"]),
    ] {
        assert_eq!(texts(&service.get(&format!("/messages{query}")).await.json()), expected, "{query}");
    }
}

#[tokio::test]
async fn no_more_patterns_are_followed_than_the_limit_allows() {
    let service = Service::start(&["--max-patterns", "2"]).await;
    service.publish("a.b", "m").await;
    let follow = |pattern: &str| {
        let filters = [pattern.parse().unwrap()];
        let app = std::sync::Arc::clone(&service.app);
        async move { app.subscribe(&filters, shared::cursor::Position::Now, &Access::EVERYTHING).await }
    };
    let (_one, two) = (follow("a.*").await.unwrap(), follow(">").await.unwrap());
    let refused = service.get("/messages?topic=*.b").await;
    refused.assert_error(503, "too_many_patterns", "--max-patterns");
    assert_eq!(refused.header("retry-after"), Some("2"));
    for query in ["?topic=a.*&topic=%3E", "?topic=a.b"] {
        assert_eq!(texts(&service.get(&format!("/messages{query}")).await.json()), ["m"], "{query}");
    }
    drop(two);
    assert_eq!(texts(&service.get("/messages?topic=*.b").await.json()), ["m"]);
}

#[tokio::test]
async fn sixty_four_topics_can_be_named() {
    let service = Service::start(&[]).await;
    service.publish("t63", "m").await;
    let names = |count| (0..count).map(|n| format!("topic=t{n}&")).collect::<String>();
    assert_eq!(texts(&service.get(&format!("/messages?{}", names(64))).await.json()), ["m"]);
    service.get(&format!("/messages?{}", names(65))).await.assert_error(400, "bad_parameter", "at most 64");
    let repeated = "topic=t63&".repeat(100);
    assert_eq!(texts(&service.get(&format!("/messages?{repeated}")).await.json()), ["m"], "one topic, however often");
    assert_eq!(
        service
            .app
            .subscribe(&[">".parse().unwrap()], shared::cursor::Position::Now, &Access::EVERYTHING)
            .await
            .unwrap()
            .cursor()
            .offset,
        1
    );
}
