//! `push history`

use e2e::service::Method;
use serde_json::json;

use crate::helpers::{push, push_with, service, shell, text};

#[tokio::test]
async fn it_has_every_page() {
    for method in Method::ALL {
        let service = service(method, &["--history", "3000"]).await;
        let url = service.url("");
        let lines: Vec<String> = (1..=2500).map(|line| line.to_string()).collect();
        push_with(&["pub", "a.b", "-", "--url", &url], &lines.join("\n")).await;
        service.publish("elsewhere").await.unwrap();
        let ended = push(&["history", "a.*", "--url", &url]).await;
        let messages = ended.json();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        assert_eq!(messages.iter().map(text).collect::<Vec<_>>(), lines);
        let ended = push(&["history", "a.b", "--limit", "1200", "--url", &url]).await;
        assert_eq!((ended.code, ended.json().len()), (Some(0), 1200));
        let since = messages[2497]["id"].as_str().unwrap();
        let ended = push(&["history", "a.b", "main", "--since", since, "--url", &url]).await;
        assert_eq!(ended.json().iter().map(text).collect::<Vec<_>>(), ["2499", "2500", "elsewhere"]);
    }
}

#[tokio::test]
async fn a_text_is_what_was_published() {
    let service = service(Method::Ws, &[]).await;
    let published = "\u{1b}[31m\u{9b}2J\u{7f} \"服务器\"\r\n\t\u{0}";
    service.publish(published).await.unwrap();
    let ended = push(&["history", "--url", &service.url("")]).await;
    assert_eq!(text(&ended.json()[0]), published);
    assert!(!ended.stdout.trim_end().contains(char::is_control), "{ended:?}");
}

#[tokio::test]
async fn a_gap_is_reported() {
    let service = service(Method::Sse, &["--history", "2"]).await;
    let first = service.publish("1").await.unwrap()["id"].as_str().unwrap().to_owned();
    for text in ["2", "3", "4"] {
        service.publish(text).await.unwrap();
    }
    let arguments = ["history", "--since", &first, "--url", &service.url("")].map(str::to_owned);
    let arguments = arguments.each_ref().map(String::as_str);
    let ended = push(&arguments).await;
    assert_eq!((ended.code, &ended.json()[0]["gap"]["reason"]), (Some(0), &json!("expired")), "{ended:?}");
    assert_eq!(ended.json()[1..].iter().map(text).collect::<Vec<_>>(), ["3", "4"]);
    assert!(ended.stderr.contains("gap (expired)"), "{ended:?}");
    let ended = push(&[&arguments[..], &["--fail-on-gap"]].concat()).await;
    assert_eq!((ended.code, ended.json().len()), (Some(4), 1), "{ended:?}");
}

#[tokio::test]
async fn it_says_why_it_ends() {
    let mut service = service(Method::Poll, &[]).await;
    let url = service.url("");
    let ended = push(&["history", "a b", "--url", &url]).await;
    assert!(ended.code == Some(3) && ended.stderr.contains("400 bad_topic: "), "{ended:?}");
    push_with(&["pub", "main", "-", "--url", &url], &"x\n".repeat(1000)).await;
    let ended = shell(&format!("$PUSH history --url {url} | head -n 1")).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    service.stop().await.unwrap();
    let ended = push(&["history", "--retry-for", "0", "--url", &url]).await;
    assert!(ended.code == Some(1) && ended.stderr.contains("cannot be reached"), "{ended:?}");
}
