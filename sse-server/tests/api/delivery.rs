//! Every message once, in order, whatever the client follows and wherever it resumes.

use testkit::{Follower, client, delivery, publish, publish_each, soon};

use crate::helpers::{Events, Sse, spawn_app};

testkit::behaviours!(Sse:
    delivery::one_client_follows_several_topics_and_wildcards,
    delivery::a_client_begins_now_unless_it_asks_otherwise,
    delivery::a_client_that_is_cut_off_after_any_message_resumes_without_loss,
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_client_gets_every_message_once_in_order() {
    delivery::every_client_gets_every_message_once_in_order::<Sse>(&["", "topic=main&topic=other", "topic=*"]).await;
}

#[tokio::test]
async fn a_browser_resumes_with_the_id_of_any_event() {
    let server = spawn_app(&[]).await;
    let texts = ["0", "1", "2", "3"];
    let ids = publish_each(&server, "main", &texts).await;
    for (had, id) in ids.iter().enumerate() {
        let mut events = Events::resume(&server, "/events", id).await;
        for (text, id) in texts.iter().zip(&ids).skip(had + 1) {
            let event = events.event().await;
            assert_eq!((event.event.as_str(), event.data.as_str(), &event.id), ("message", *text, id));
        }
        // The last browser has had all of them.
        if had + 1 == ids.len() {
            publish(&server, "main", "next").await;
            assert_eq!(events.event().await.data, "next");
        }
    }
}

#[tokio::test]
async fn the_last_event_id_of_a_browser_wins_over_the_since_of_its_first_request() {
    let server = spawn_app(&[]).await;
    let ids = publish_each(&server, "main", &["1", "2", "3"]).await;
    let path = format!("/events?since={}", ids[0]);
    assert_eq!(Events::resume(&server, &path, &ids[1]).await.event().await.data, "3");
    assert_eq!(Events::resume(&server, "/events?since=now", &ids[0]).await.texts(2).await, ["2", "3"]);
    // A browser that has no id sends none; some clients send an empty one.
    assert_eq!(Events::resume(&server, &path, "").await.event().await.data, "2");
}

#[tokio::test]
async fn a_cursor_of_any_answer_is_one_that_a_stream_resumes_from() {
    let server = spawn_app(&[]).await;
    publish_each(&server, "main", &["1", "2"]).await;
    let page = soon(client().get(server.url("/messages?limit=1")).send()).await.unwrap();
    let page: serde_json::Value = page.json().await.unwrap();
    let path = format!("/events?since={}", page["cursor"].as_str().unwrap());
    assert_eq!(Events::open(&server, &path).await.event().await.data, "2");
}
