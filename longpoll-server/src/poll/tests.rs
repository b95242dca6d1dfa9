//! A held poll as a state machine, without a socket and without a runtime.

use std::task::Waker;

use clap::Parser;
use futures_util::FutureExt;
use serde_json::Value;
use serving::access::Access;
use serving::connection::FarEnd;
use shared::backplane::Publication;
use shared::message::Draft;
use shared::topic::Topic;

use super::*;
use crate::Config;

const ROOMY: usize = 1 << 20;

fn app() -> Arc<App> {
    let config = Config::parse_from(["longpoll-server"]);
    let (backplane, hub) = config.open_history().unwrap();
    App::new(config.flags.common, serving::metrics::Method::LongPolling, backplane, hub).unwrap()
}

fn publish(app: &App, text: &str) {
    let publication = Publication::new(Topic::default(), vec![Draft::text(text)], None);
    app.publish(publication, &Access::EVERYTHING, None).now_or_never().expect("memory confirms at once").unwrap();
}

fn held_page(app: &Arc<App>) -> (HeldPage, Client, FarEnd) {
    let subscriber =
        app.subscribe(&[Topic::default().into()], Position::Now, &Access::EVERYTHING).now_or_never().unwrap().unwrap();
    let limit = BatchLimit { messages: page::DEFAULT_LIMIT, bytes: page::MAX_BYTES };
    let mut held = HeldPage { subscriber, limit, wait: Duration::from_secs(25) };
    let (mut client, far) = Client::in_memory(app, ROOMY);
    held.begin(&mut client);
    (held, client, far)
}

fn held_turn(app: &Arc<App>) -> (HeldTurn, Client, FarEnd) {
    let queues = Arc::new(Queues::new(Arc::clone(app)));
    let taken = queues.take(&Topic::default(), &Access::EVERYTHING).now_or_never().unwrap().unwrap();
    let Taken::Turn(turn) = taken else { panic!("{taken:?}") };
    let mut held = HeldTurn { turn: Some(turn), message: None, wait: Duration::from_secs(25) };
    let (mut client, far) = Client::in_memory(app, ROOMY);
    held.begin(&mut client);
    (held, client, far)
}

fn poll(session: &mut impl Session) -> task::Poll<Event> {
    session.poll_event(&mut Context::from_waker(Waker::noop()))
}

/// The status and the body of the one answer that a client received.
fn answer(far: &FarEnd) -> (u16, String) {
    let received = far.received_text();
    let (head, body) = received.split_once("\r\n\r\n").unwrap();
    (head.strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap(), body.to_owned())
}

#[tokio::test]
async fn a_page_is_answered_with_the_news() {
    let app = app();
    let (mut held, mut client, far) = held_page(&app);
    assert_eq!(poll(&mut held), task::Poll::Pending);
    publish(&app, "hello");
    assert_eq!(poll(&mut held), task::Poll::Ready(Event::News));
    assert_eq!(held.on(Event::News, &mut client), Flow::Finish);
    let (status, body) = answer(&far);
    let page: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &page["messages"][0]["text"]), (200, &Value::from("hello")));
    assert_eq!(page["cursor"], held.subscriber.cursor().to_string());
}

#[tokio::test]
async fn a_page_is_answered_empty_when_its_time_is_over_or_it_is_released() {
    for event in [Event::Due, Event::Released] {
        let (mut held, mut client, far) = held_page(&app());
        assert_eq!(held.on(Event::Draining, &mut client), Flow::Continue);
        assert_eq!(held.on(event, &mut client), Flow::Finish);
        let (status, body) = answer(&far);
        let page: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &page["messages"], &page["more"]), (200, &Value::Array(vec![]), &Value::from(false)));
    }
}

#[tokio::test]
async fn the_next_request_of_a_held_client_is_kept_and_its_end_is_noticed() {
    let (mut held, mut client, far) = held_page(&app());
    far.send("GET /poll");
    assert_eq!(held.on(Event::Readable, &mut client), Flow::Continue);
    assert_eq!(&client.take_input()[..], b"GET /poll");
    far.leave();
    assert_eq!(held.on(Event::Readable, &mut client), Flow::Continue);
    assert!(client.is_gone());
}

#[tokio::test]
async fn a_turn_is_answered_with_the_message_or_with_nothing() {
    let app = app();
    let (mut held, mut client, far) = held_turn(&app);
    publish(&app, "m");
    assert_eq!(poll(&mut held), task::Poll::Ready(Event::News));
    assert_eq!(held.on(Event::News, &mut client), Flow::Finish);
    let (status, body) = answer(&far);
    assert_eq!((status, body.contains(r#""text":"m""#)), (200, true), "{body}");

    let (mut held, mut client, far) = held_turn(&super::tests::app());
    assert_eq!(held.on(Event::Due, &mut client), Flow::Finish);
    assert_eq!(answer(&far), (204, String::new()));
}

#[tokio::test]
async fn a_message_that_comes_as_the_time_ends_is_answered_after_all() {
    let app = app();
    let (mut held, mut client, far) = held_turn(&app);
    publish(&app, "just in time");
    assert_eq!(held.on(Event::Due, &mut client), Flow::Finish);
    assert!(answer(&far).1.contains("just in time"));
}

/// A waiting session is small: this is a bound for what a change may add without being noticed.
#[test]
fn a_session_is_small() {
    assert!(size_of::<HeldPage>() <= 160, "{}", size_of::<HeldPage>());
}
