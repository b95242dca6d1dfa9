//! Polls without a cursor: callers share one queue.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Client;
use serde_json::Value;
use testkit::{client, publish, publish_array, publish_each, soon};

use crate::helpers::{Answer, ask, assert_nothing_queued, hold, poll, settle, spawn_app};

#[tokio::test]
async fn a_queued_message_is_answered_at_once_and_taken_once() {
    let server = spawn_app(&[]).await;
    let id = publish(&server, "main", "New message").await;
    let message = poll(&server, "").await;
    assert_eq!(message["text"], "New message");
    assert_eq!((message["id"].as_str(), message["topic"].as_str()), (Some(&id[..]), Some("main")));
    assert!(message["at"].as_str().unwrap().ends_with('Z'));
    assert_nothing_queued(&server).await;
}

#[tokio::test]
async fn queued_messages_go_to_one_caller_each_in_order() {
    let server = spawn_app(&[]).await;
    publish_each(&server, "main", &["1", "2"]).await;
    publish(&server, "other", "-").await;
    let (one, two) = tokio::join!(poll(&server, ""), poll(&server, ""));
    let taken = HashSet::from([one["text"].as_str().unwrap(), two["text"].as_str().unwrap()]);
    assert_eq!(taken, HashSet::from(["1", "2"]));
    assert_nothing_queued(&server).await;

    publish_each(&server, "main", &["3", "4", "5"]).await;
    for text in ["3", "4", "5"] {
        assert_eq!(poll(&server, "").await["text"], text);
    }
    assert_eq!(poll(&server, "topic=other").await["text"], "-", "each topic has its own queue");
}

#[tokio::test]
async fn the_next_message_answers_every_caller_held_and_is_not_queued() {
    let server = spawn_app(&[]).await;
    for round in ["1", "2"] {
        let mut held = Vec::new();
        for _ in 0..5 {
            held.push(hold(&server, "").await);
        }
        let id = publish(&server, "main", round).await;
        for client in &mut held {
            let answer = Answer::read(client).await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.json()["id"], id);
        }
        assert_nothing_queued(&server).await;
    }
}

#[tokio::test]
async fn of_a_burst_the_callers_held_get_the_first_and_the_rest_is_queued() {
    let server = spawn_app(&[]).await;
    let mut held = [hold(&server, "").await, hold(&server, "").await];
    publish_array(&server, "main", &["1", "2", "3"]).await;
    for client in &mut held {
        assert_eq!(Answer::read(client).await.json()["text"], "1");
    }
    assert_eq!(poll(&server, "wait=0").await["text"], "2");
    assert_eq!(poll(&server, "wait=0").await["text"], "3");
    assert_nothing_queued(&server).await;
}

#[tokio::test]
async fn a_caller_that_went_away_while_held_consumes_nothing() {
    let server = spawn_app(&[]).await;
    for round in 0..10 {
        let gone = hold(&server, "").await;
        let closed = hold(&server, "topic=main").await;
        drop((gone, closed));
        settle(&server).await;
        let id = publish(&server, "main", format!("{round}")).await;
        assert_eq!(poll(&server, "wait=0").await["id"], id);
    }
    // A client that stays is answered all the same, and the message is not queued as well.
    let gone = hold(&server, "").await;
    let mut stays = hold(&server, "").await;
    drop(gone);
    settle(&server).await;
    publish(&server, "main", "for the client that stays").await;
    assert_eq!(Answer::read(&mut stays).await.json()["text"], "for the client that stays");
    assert_nothing_queued(&server).await;
}

#[tokio::test]
async fn nothing_within_the_hold_time_is_204() {
    let server = spawn_app(&["--hold", "150ms"]).await;
    for (query, millis) in [("", 150), ("wait=0.05", 50), ("wait=300ms", 300)] {
        let asked = Instant::now();
        let response = ask(&server, query).await;
        assert!(asked.elapsed() >= Duration::from_millis(millis), "{query:?} was not held");
        assert_eq!(response.status(), 204);
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert!(!response.headers().contains_key("content-length"), "RFC 9110 forbids it");
    }
    // A client that was not answered has taken nothing.
    publish(&server, "main", "later").await;
    assert_eq!(poll(&server, "").await["text"], "later");
}

#[tokio::test]
async fn the_queue_is_as_long_as_the_history() {
    let server = spawn_app(&["--history", "2"]).await;
    publish_each(&server, "main", &["1", "2", "3", "4"]).await;
    assert_eq!(poll(&server, "").await["text"], "3");
    publish_each(&server, "main", &["5", "6", "7"]).await;
    assert_eq!(poll(&server, "").await["text"], "6");
    assert_eq!(poll(&server, "").await["text"], "7");
    assert_nothing_queued(&server).await;
}

#[tokio::test]
async fn clients_with_a_cursor_take_nothing_from_the_queue() {
    let server = spawn_app(&[]).await;
    let mut held = hold(&server, "since=now").await;
    publish(&server, "main", "for both").await;
    assert_eq!(Answer::read(&mut held).await.status, 200);
    poll(&server, "since=earliest").await;
    assert_eq!(poll(&server, "wait=0").await["text"], "for both");
}

#[tokio::test]
async fn the_ticker_publishes_the_local_time_in_the_usual_words() {
    let server = spawn_app(&["--tick", "50ms"]).await;
    for _ in 0..2 {
        assert_eq!(poll(&server, "").await["text"], "New message");
    }
}

/// Polls until it is to stop and nothing is left, and returns the texts of the answers.
async fn take_all(client: Client, url: String, done: &AtomicBool) -> Vec<String> {
    let mut taken = Vec::new();
    loop {
        let over = done.load(Ordering::SeqCst);
        let response = soon(client.get(&url).send()).await.unwrap();
        match response.status().as_u16() {
            204 if over => return taken,
            204 => {}
            200 => {
                let message: Value = soon(response.json()).await.unwrap();
                taken.push(message["text"].as_str().unwrap().to_owned());
            }
            status => panic!("{status}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_reaches_somebody_however_callers_come_and_go() {
    const MESSAGES: usize = 400;
    let server = spawn_app(&["--hold", "1ms"]).await;
    let done = AtomicBool::new(false);
    let callers = join_all((0..8).map(|_| take_all(client(), server.url("/poll"), &done)));
    let publishing = async {
        let client = client();
        for n in 0..MESSAGES {
            let request = client.post(server.url("/messages")).body(n.to_string());
            assert_eq!(soon(request.send()).await.unwrap().status(), 201);
        }
        done.store(true, Ordering::SeqCst);
    };
    let (taken, ()) = tokio::join!(callers, publishing);
    let taken: HashSet<String> = taken.into_iter().flatten().collect();
    let lost: Vec<usize> = (0..MESSAGES).filter(|n| !taken.contains(&n.to_string())).collect();
    assert!(lost.is_empty(), "no client got {lost:?}");
}
