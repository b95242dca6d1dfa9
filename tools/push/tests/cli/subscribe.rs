//! `push sub`

use e2e::proxy::Proxy;
use e2e::service::Method;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use tempfile::tempdir;

use crate::helpers::{Running, push, ready, service, shell, text, via};
use crate::stub::{Answer, Stub};

#[tokio::test]
async fn messages_come_by_every_method() {
    for method in Method::ALL {
        let service = service(method, &[]).await;
        for chosen in [&["--via", via(method)][..], &[]] {
            let url = service.url("");
            let mut follower = Running::follow(&[&["main", "--url", &url, "--count", "2"], chosen].concat()).await;
            let first = service.publish("one\ntwo").await.unwrap();
            let line = follower.line().await;
            assert_eq!(line, json!({"id": first["id"], "topic": "main", "text": "one\ntwo", "at": first["at"]}));
            service.publish("three").await.unwrap();
            let ended = follower.ended().await;
            assert_eq!((ended.code, text(&ended.json()[0])), (Some(0), "three"), "{ended:?}");
        }
    }
}

#[tokio::test]
async fn it_comes_back_after_a_cut_and_goes_on() {
    for method in Method::ALL {
        let service = service(method, &[]).await;
        let mut proxy = Proxy::start(service.address()).await.unwrap();
        let mut follower = Running::follow(&["--url", &proxy.url("")]).await;
        service.publish("before").await.unwrap();
        assert_eq!(follower.texts(1).await, ["before"]);
        proxy.cut();
        service.publish("during").await.unwrap();
        proxy.refusal().await.unwrap();
        follower.said("trying again in").await;
        proxy.mend();
        follower.said("connected again to").await;
        service.publish("after").await.unwrap();
        assert_eq!(follower.texts(2).await, ["during", "after"], "{method:?}");
    }
}

#[tokio::test]
async fn it_goes_on_where_it_was_after_a_restart_with_a_file() {
    let folder = tempdir().unwrap();
    let data = format!("--data={}", folder.path().display());
    for method in Method::ALL {
        let mut service = service(method, &[&data, "--drain=0"]).await;
        let mut follower = Running::follow(&["--url", &service.url("")]).await;
        service.publish("before").await.unwrap();
        assert_eq!(follower.texts(1).await, ["before"]);
        service.stop().await.unwrap();
        follower.said("trying again in").await;
        let other = crate::helpers::service(method, &[&data]).await;
        ready(&other).await;
        other.publish("meanwhile").await.unwrap();
        service.start(&[&data, "--drain=0"]).await.unwrap();
        assert_eq!(follower.texts(1).await, ["meanwhile"], "{method:?}");
        service.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_gap_is_reported() {
    for method in Method::ALL {
        let mut service = service(method, &["--drain=0"]).await;
        let url = service.url("");
        let mut follower = Running::follow(&["--url", &url]).await;
        let mut strict = Running::follow(&["--url", &url, "--fail-on-gap"]).await;
        let before = service.publish("before").await.unwrap();
        assert_eq!([follower.texts(1).await, strict.texts(1).await].concat(), ["before"; 2]);
        service.stop().await.unwrap();
        // The history was in memory.
        service.start(&[]).await.unwrap();
        let line = follower.line().await;
        assert_eq!((&line["gap"]["reason"], &line["gap"]["since"]), (&json!("epoch"), &before["id"]), "{line}");
        follower.said("gap (epoch)").await;
        service.publish("after").await.unwrap();
        assert_eq!(follower.texts(1).await, ["after"]);
        let ended = strict.ended().await;
        assert_eq!(ended.code, Some(4), "{ended:?}");
        assert!(ended.json()[0]["gap"].is_object() && ended.stderr.contains("gap (epoch)"), "{ended:?}");
    }
}

#[tokio::test]
async fn a_state_file_goes_on_over_runs() {
    let folder = tempdir().unwrap();
    for method in Method::ALL {
        let service = service(method, &[]).await;
        let (url, file) = (service.url(""), folder.path().join(via(method)));
        let arguments = ["--url", &url, "--state", file.to_str().unwrap()];
        // A run that ends without a message has a position already.
        let follower = Running::follow(&arguments).await;
        kill(Pid::from_raw(follower.id()), Signal::SIGINT).unwrap();
        assert_eq!(follower.ended().await.code, Some(130));
        service.publish("one").await.unwrap();
        service.publish("two").await.unwrap();
        let ended = push(&[&["sub", "--count", "1"], &arguments[..]].concat()).await;
        assert_eq!((ended.code, text(&ended.json()[0])), (Some(0), "one"), "{ended:?}");
        let mut follower = Running::follow(&arguments).await;
        assert_eq!(follower.texts(1).await, ["two"]);
        kill(Pid::from_raw(follower.id()), Signal::SIGTERM).unwrap();
        assert_eq!(follower.ended().await.code, Some(143));
        let three = service.publish("three").await.unwrap();
        let ended = push(&[&["sub", "--count", "1"], &arguments[..]].concat()).await;
        assert_eq!((ended.code, text(&ended.json()[0])), (Some(0), "three"), "{ended:?}");
        let cursor = std::fs::read_to_string(&file).unwrap();
        assert_eq!(cursor.trim(), three["id"].as_str().unwrap());
    }
}

#[tokio::test]
async fn a_state_file_is_kept_while_it_follows() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("cursor");
    let service = service(Method::Sse, &[]).await;
    let mut follower = Running::follow(&["--url", &service.url(""), "--state", file.to_str().unwrap()]).await;
    for text in ["one", "two"] {
        let published = service.publish(text).await.unwrap();
        assert_eq!(follower.texts(1).await, [text]);
        let expected = published["id"].as_str().unwrap().to_owned() + "\n";
        testkit::soon(async {
            while !std::fs::read_to_string(&file).is_ok_and(|cursor| cursor == expected) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    // Killed without a chance to write anything.
    kill(Pid::from_raw(follower.id()), Signal::SIGKILL).unwrap();
    follower.ended().await;
    service.publish("three").await.unwrap();
    let ended = push(&["sub", "--count", "1", "--url", &service.url(""), "--state", file.to_str().unwrap()]).await;
    assert_eq!(text(&ended.json()[0]), "three");
}

#[tokio::test]
async fn a_closed_output_ends_it_quietly() {
    for method in Method::ALL {
        let service = service(method, &[]).await;
        service.publish("one").await.unwrap();
        // There is no second message that would be written in vain.
        let line = format!("$PUSH sub --since earliest --url {} 2>/dev/null | head -n 1", service.url(""));
        let ended = shell(&line).await;
        assert_eq!((ended.code, text(&ended.json()[0])), (Some(0), "one"), "{ended:?}");
        for text in ["two", "three", "four"] {
            service.publish(text).await.unwrap();
        }
        let ended = shell(&line).await;
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    }
}

#[tokio::test]
async fn a_refusal_ends_it_with_the_words_of_the_service() {
    let secret = "0123456789abcdef0123456789abcdef";
    for method in Method::ALL {
        let closed = service(method, &["--jwt-secret", secret]).await;
        let ended = push(&["sub", "--url", &closed.url("")]).await;
        assert_eq!(ended.code, Some(3), "{ended:?}");
        assert!(ended.stderr.contains("401 unauthorized: ") && ended.stderr.contains("--token-file"), "{ended:?}");
        let claims = json!({ "exp": token::now() + 60.0, "subscribe": ["news"] });
        let token = token::hs256(secret.as_bytes(), &claims);
        let ended = push(&["sub", "orders", "--url", &closed.url(""), "--token", &token]).await;
        assert_eq!(ended.code, Some(3), "{ended:?}");
        assert!(ended.stderr.contains("403 forbidden: "), "{ended:?}");
        let open = service(method, &[]).await;
        let ended = push(&["sub", "a..b", "--url", &open.url("")]).await;
        assert_eq!(ended.code, Some(3), "{ended:?}");
        assert!(ended.stderr.contains("400 bad_topic: "), "{ended:?}");
    }
    let ended = push(&["sub", "--since", "yesterday"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
}

#[tokio::test]
async fn another_token_in_the_file_counts_when_the_first_has_ended() {
    let secret = "0123456789abcdef0123456789abcdef";
    let folder = tempdir().unwrap();
    let file = folder.path().join("token");
    for method in Method::ALL {
        let service = service(method, &["--jwt-secret", secret]).await;
        let token = |life: f64| {
            let claims = json!({ "exp": token::now() + life, "subscribe": ["main"], "publish": ["main"] });
            token::hs256(secret.as_bytes(), &claims)
        };
        // The services allow a leeway of 5 seconds, so the old one has ended 4 seconds from now.
        let (old, new) = (token(-1.0), token(600.0));
        std::fs::write(&file, &old).unwrap();
        let url = service.url("");
        let mut follower = Running::follow(&["--url", &url, "--token-file", file.to_str().unwrap()]).await;
        std::fs::write(&file, &new).unwrap();
        let is_refused = async || push(&["history", "--url", &url, "--token", &old]).await.code == Some(3);
        testkit::soon(async { while !is_refused().await {} }).await;
        let ended = push(&["pub", "main", "x", "--url", &url, "--token", &new]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(follower.texts(1).await, ["x"], "{method:?}");
    }
}

#[tokio::test]
async fn it_gives_up_when_it_is_to() {
    let mut service = service(Method::Ws, &[]).await;
    service.stop().await.unwrap();
    let ended = push(&["sub", "--url", &service.url(""), "--retry-for", "200ms"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("given up: ") && ended.stderr.contains("cannot be reached"), "{ended:?}");
}

#[tokio::test]
async fn another_method_is_tried_where_a_proxy_answers_the_first() {
    let service = service(Method::Sse, &[]).await;
    let address = service.address();
    for status in [400, 403, 502, 504] {
        let stub = Stub::start(move |_, path| match path {
            "/feed" => Answer::page(status),
            _ => Answer::Of(address),
        })
        .await;
        let mut follower = Running::start(&["sub", "--url", &stub.url]);
        follower.said("by Server-Sent Events, from").await;
    }
}

#[tokio::test]
async fn a_service_that_is_busy_is_asked_again_by_no_other_method() {
    let service = service(Method::Sse, &[]).await;
    let address = service.address();
    // The first answer alone is that of a service which is full, and the pause that it asks for is more than a clock can count.
    let stub = Stub::start(move |number, path| match (number, path) {
        (1, _) => Answer::error(503, "full", Some(&u64::MAX.to_string())),
        _ => Answer::Of(address),
    })
    .await;
    let mut follower = Running::start(&["sub", "--url", &stub.url]);
    let said = follower.said("trying again in").await;
    assert!(said.contains("503 full"), "{said}");
    kill(Pid::from_raw(follower.id()), Signal::SIGINT).unwrap();
    let ended = follower.ended().await;
    assert_eq!(ended.code, Some(130), "{ended:?}");
}

#[tokio::test]
async fn it_says_from_which_position_it_goes_on() {
    for method in Method::ALL {
        let service = service(method, &[]).await;
        let first = service.publish("one").await.unwrap();
        let mut follower = Running::start(&["sub", "--url", &service.url("")]);
        let said = follower.said("connected to").await;
        let position = first["id"].as_str().unwrap();
        assert!(said.ends_with(&format!(", from {position}")), "{method:?}: {said}");
    }
}
