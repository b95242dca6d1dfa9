//! The feed as a state machine, without a socket and without a runtime.

use clap::Parser;
use serving::access::Access;
use shared::gap::GapReason;
use shared::topic::Topic;

use super::*;
use crate::Config;

fn app(flags: &[&str]) -> Arc<App> {
    let config = Config::parse_from(["ws-echo"].iter().chain(flags));
    let (backplane, hub) = config.open_history().unwrap();
    App::new(config.flags.common, serving::metrics::Method::WebSockets, backplane, hub).unwrap()
}

fn publish(app: &App, topic: &str) -> Cursor {
    let publication = Publication::new(topic.parse().unwrap(), vec![Draft::text("x")], None);
    let receipt =
        app.publish(publication, &Access::EVERYTHING, None).now_or_never().expect("memory confirms at once").unwrap();
    receipt.each().next().unwrap().id
}

fn subscribe(app: &App, topic: &str, from: Position) -> Subscriber {
    app.subscribe(&[topic.parse::<Topic>().unwrap().into()], from, &Access::EVERYTHING).now_or_never().unwrap().unwrap()
}

#[tokio::test]
async fn a_quiet_client_that_comes_back_after_many_topics_of_others_has_missed_nothing() {
    let app = app(&["--max-message-bytes=100", "--history-bytes=64 KiB"]);
    let subscriber = subscribe(&app, "quiet", Position::Now);
    let welcome = subscriber.cursor();
    let mut feed = Feed::new(Arc::clone(&app), subscriber, false, Access::EVERYTHING);
    let (mut client, far) = Client::in_memory(&app, 1 << 20);
    let mut last = welcome;
    for number in 0..4000 {
        last = publish(&app, &format!("short-lived.{number}"));
    }
    feed.heartbeat(&mut client);
    let position = ServerFrame::Position { cursor: last }.encode();
    assert_eq!(far.received(), position, "the position is in a frame");
    feed.heartbeat(&mut client);
    assert_eq!(far.received(), b"", "each position is reported once");

    // With nobody there, nothing is known of this topic alone.
    drop(feed);
    let gap = |from| subscribe(&app, "quiet", Position::At(from)).read(&frame::MESSAGE, BATCH).gap;
    assert_eq!(gap(last), None);
    assert_eq!(gap(welcome).map(|gap| gap.reason), Some(GapReason::Expired), "without the position");
}

#[tokio::test]
async fn a_message_gives_the_position_and_a_publication_on_another_topic_does_not() {
    let app = app(&[]);
    let mut feed = Feed::new(Arc::clone(&app), subscribe(&app, "quiet", Position::Now), false, Access::EVERYTHING);
    let (mut client, far) = Client::in_memory(&app, 1 << 20);
    publish(&app, "quiet");
    assert!(feed.on(Event::News, &mut client).is_none());
    far.received();
    feed.heartbeat(&mut client);
    assert_eq!(far.received(), b"");

    let elsewhere = publish(&app, "other");
    assert!(feed.on(Event::Done, &mut client).is_none());
    feed.heartbeat(&mut client);
    assert_eq!(far.received(), ServerFrame::Position { cursor: elsewhere }.encode());
}

#[tokio::test]
async fn heartbeats_are_frames_where_scripts_are_to_see_them() {
    let app = app(&["--heartbeat=15s"]);
    let mut feed = Feed::new(Arc::clone(&app), subscribe(&app, "quiet", Position::Now), true, Access::EVERYTHING);
    let (mut client, far) = Client::in_memory(&app, 1 << 20);
    feed.begin(&mut client);
    let heartbeat = br#"{"type":"heartbeat","period":15}"#;
    assert!(far.received().ends_with(heartbeat), "the first one at the start");
    feed.heartbeat(&mut client);
    assert_eq!(far.received()[2..], heartbeat[..]);
}
