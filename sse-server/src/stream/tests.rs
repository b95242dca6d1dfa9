//! The stream as a state machine, without a socket and without a runtime.

use std::task::Waker;

use clap::Parser;
use futures_util::FutureExt;
use serving::access::Access;
use serving::connection::FarEnd;
use shared::backplane::Publication;
use shared::message::Draft;
use shared::topic::Topic;
use warp::http::Version;

use super::*;
use crate::Config;

const ROOMY: usize = 1 << 20;

/// An application with a history in memory.
fn app(flags: &[&str]) -> Arc<App> {
    let config = Config::parse_from(["sse-server"].iter().chain(flags));
    let (backplane, hub) = config.open_history().unwrap();
    App::new(config.flags.common, serving::metrics::Method::ServerSentEvents, backplane, hub).unwrap()
}

fn publish(app: &App, texts: &[&str]) {
    let drafts = texts.iter().map(|text| Draft::text(*text)).collect();
    let publication = Publication::new(Topic::default(), drafts, None);
    app.publish(publication, &Access::EVERYTHING, None).now_or_never().expect("memory confirms at once").unwrap();
}

/// A stream of everything from now on without chunks, with its client.
fn stream(app: &Arc<App>, room: usize) -> (Stream, Client, FarEnd) {
    stream_in(StreamFormat::new(Version::HTTP_10, false), false, app, room)
}

fn stream_in(format: StreamFormat, shows_heartbeats: bool, app: &Arc<App>, room: usize) -> (Stream, Client, FarEnd) {
    let subscriber =
        app.subscribe(&[Topic::default().into()], Position::Now, &Access::EVERYTHING).now_or_never().unwrap().unwrap();
    let (mut client, far) = Client::in_memory(app, room);
    let mut stream = Stream::new(subscriber, format, shows_heartbeats);
    stream.begin(&mut client);
    (stream, client, far)
}

fn is_news(stream: &mut Stream) -> bool {
    stream.poll_event(&mut Context::from_waker(Waker::noop())) == Poll::Ready(Event::News)
}

/// The texts of the events in what a client received.
fn texts(received: &str) -> Vec<&str> {
    received.lines().filter_map(|line| line.strip_prefix("data: ")).collect()
}

#[tokio::test]
async fn it_begins_with_a_head_and_a_position() {
    let app = app(&[]);
    let (mut stream, _client, far) = stream(&app, ROOMY);
    let received = far.received_text();
    let (head, event) = received.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("\r\ncontent-type: text/event-stream\r\n"),
        "{head}"
    );
    let id = event.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
    assert_eq!(id, stream.subscriber.cursor().to_string());
    assert!(!is_news(&mut stream));
}

#[tokio::test]
async fn a_burst_is_delivered_in_batches_and_one_event_writes_one_batch() {
    let app = app(&[]);
    let (mut stream, mut client, far) = stream(&app, ROOMY);
    far.received();
    let numbers: Vec<String> = (0..BATCH.messages + 1).map(|n| n.to_string()).collect();
    publish(&app, &numbers.iter().map(String::as_str).collect::<Vec<_>>());
    for expected in [&numbers[..BATCH.messages], &numbers[BATCH.messages..]] {
        assert!(is_news(&mut stream));
        assert_eq!(stream.on(Event::News, &mut client), Flow::Continue);
        assert_eq!(texts(&far.received_text()), expected);
    }
    assert!(!is_news(&mut stream));
}

#[tokio::test]
async fn bytes_that_the_client_does_not_take_wait_in_the_client() {
    let app = app(&[]);
    let (mut stream, mut client, far) = stream(&app, 10);
    publish(&app, &["hello"]);
    assert_eq!(stream.on(Event::News, &mut client), Flow::Continue);
    assert!(client.has_unwritten() && !client.is_gone());
    assert_eq!(far.received().len(), 10);
}

#[tokio::test]
async fn a_heartbeat_reports_a_position_that_moved_on_without_a_message() {
    let app = app(&[]);
    let (mut stream, mut client, far) = stream(&app, ROOMY);
    far.received();
    assert_eq!(stream.on(Event::Due, &mut client), Flow::Continue);
    assert_eq!(far.received_text(), ":\n");

    let elsewhere = Publication::new("other".parse().unwrap(), vec![Draft::text("x")], None);
    let id =
        app.publish(elsewhere, &Access::EVERYTHING, None).now_or_never().unwrap().unwrap().each().next().unwrap().id;
    assert!(!is_news(&mut stream));
    assert_eq!(stream.on(Event::Due, &mut client), Flow::Continue);
    assert_eq!(far.received_text(), format!(":\nid: {id}\n\n"));
    assert_eq!(stream.on(Event::Due, &mut client), Flow::Continue);
    assert_eq!(far.received_text(), ":\n", "each position is reported once");
}

#[tokio::test]
async fn a_client_that_is_released_during_a_long_search_gets_what_is_found() {
    let app = app(&["--history", "100000"]);
    (0..20).for_each(|_| publish(&app, &["x"; 1000]));
    let wanted = Publication::new("a.x".parse().unwrap(), vec![Draft::text("wanted")], None);
    app.publish(wanted, &Access::EVERYTHING, None).now_or_never().unwrap().unwrap();
    let subscribe = app.subscribe(&["a.*".parse().unwrap()], Position::Earliest, &Access::EVERYTHING).now_or_never();
    let (mut client, far) = Client::in_memory(&app, ROOMY);
    let mut stream = Stream::new(subscribe.unwrap().unwrap(), StreamFormat::new(Version::HTTP_10, false), false);
    stream.begin(&mut client);
    assert_eq!(stream.on(Event::News, &mut client), Flow::Continue);
    assert_eq!(stream.on(Event::Released, &mut client), Flow::Continue, "there is more to search");
    let mut turns = 0;
    loop {
        let event = std::future::poll_fn(|cx| stream.poll_event(cx)).await;
        if stream.on(event, &mut client) == Flow::Finish {
            break;
        }
        turns += 1;
    }
    assert!(turns > 1, "it is found in one piece");
    assert_eq!(texts(&far.received_text()).last(), Some(&"wanted"));
}

/// Returns the text in whole chunks.
fn decoded(mut chunks: &str) -> String {
    let mut text = String::new();
    while !chunks.is_empty() {
        let (size, rest) = chunks.split_once("\r\n").expect("a chunk has a size");
        let (chunk, rest) = rest.split_at(usize::from_str_radix(size, 16).expect("a size is hexadecimal"));
        text.push_str(chunk);
        chunks = rest.strip_prefix("\r\n").expect("a line end closes a chunk");
    }
    text
}

#[tokio::test]
async fn over_http_1_1_each_write_is_whole_chunks_up_to_the_last() {
    let app = app(&[]);
    let format = StreamFormat::new(Version::HTTP_11, false);
    let (mut stream, mut client, far) = stream_in(format, false, &app, ROOMY);
    let received = far.received_text();
    let (head, first) = received.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("\r\ntransfer-encoding: chunked\r\n"), "{head}");
    let cursor = stream.subscriber.cursor();
    assert!(decoded(first).ends_with(&format!("\nid: {cursor}\n\n")), "{first}");

    publish(&app, &["a", "b"]);
    assert_eq!(stream.on(Event::News, &mut client), Flow::Continue);
    assert_eq!(texts(&decoded(&far.received_text())), ["a", "b"]);
    assert_eq!(stream.on(Event::Due, &mut client), Flow::Continue);
    assert_eq!(far.received_text(), "2\r\n:\n\r\n");
    assert_eq!(stream.on(Event::Released, &mut client), Flow::Finish);
    let last = far.received_text();
    let retry = decoded(last.strip_suffix("0\r\n\r\n").expect("the body has an end"));
    assert!(retry.starts_with("retry: ") && retry.ends_with("\n\n"), "{retry:?}");
}

#[tokio::test]
async fn a_gap_is_a_chunk_too() {
    let app = app(&["--history=1"]);
    let format = StreamFormat::new(Version::HTTP_11, false);
    let (mut stream, mut client, far) = stream_in(format, false, &app, ROOMY);
    far.received();
    publish(&app, &["lost", "kept"]);
    assert_eq!(stream.on(Event::News, &mut client), Flow::Continue);
    let text = decoded(&far.received_text());
    assert!(text.contains("\nevent: gap\n") && text.ends_with("\ndata: kept\n\n"), "{text}");
}

#[tokio::test]
async fn heartbeats_are_events_where_scripts_are_to_see_them() {
    let app = app(&["--heartbeat=15s"]);
    let format = StreamFormat::new(Version::HTTP_10, false);
    let (mut stream, mut client, far) = stream_in(format, true, &app, ROOMY);
    let cursor = stream.subscriber.cursor();
    let received = far.received_text();
    assert!(received.ends_with(&format!("\nid: {cursor}\nevent: heartbeat\ndata: 15\n\n")), "{received}");
    assert_eq!(stream.on(Event::Due, &mut client), Flow::Continue);
    assert_eq!(far.received_text(), "event: heartbeat\ndata: 15\n\n");
}

#[tokio::test]
async fn a_stream_that_is_released_delivers_everything_first() {
    let app = app(&[]);
    let (mut stream, mut client, far) = stream(&app, ROOMY);
    far.received();
    publish(&app, &["x"; BATCH.messages + 1]);
    assert_eq!(stream.on(Event::Draining, &mut client), Flow::Continue);
    assert_eq!(stream.on(Event::Released, &mut client), Flow::Continue);
    assert!(is_news(&mut stream), "it goes on as soon as the client has taken the first batch");
    assert_eq!(stream.on(Event::News, &mut client), Flow::Finish);
    let received = far.received_text();
    assert_eq!(texts(&received).len(), BATCH.messages + 1);
    assert!(received.lines().rev().nth(1).unwrap().starts_with("retry: "), "{received}");
}

#[tokio::test]
async fn what_the_client_sends_is_forgotten_and_its_end_is_noticed() {
    let app = app(&[]);
    let (mut stream, mut client, far) = stream(&app, ROOMY);
    far.send("GET / HTTP/1.1\r\n\r\n");
    assert_eq!(stream.on(Event::Readable, &mut client), Flow::Continue);
    assert!(client.take_input().is_empty() && !client.is_gone());
    far.leave();
    assert_eq!(stream.on(Event::Readable, &mut client), Flow::Continue);
    assert!(client.is_gone());
}

/// A waiting session is small: this is a bound for what a change may add without being noticed.
#[test]
fn a_session_is_small() {
    assert!(size_of::<Stream>() <= 128, "{}", size_of::<Stream>());
}
