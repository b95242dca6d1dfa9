//! A client over the transport in memory.

use std::task::Poll;

use clap::Parser;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use shared::backplane::Memory;

use super::super::event::Event;
use super::super::input::READ;
use super::answering::COPIED;
use super::*;
use crate::config::CommonConfig;
use crate::metrics::Method;
use crate::reply::{Body, Reply};

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    common: CommonConfig,
}

pub(in super::super) fn app(flags: &[&str]) -> Arc<App> {
    let config = Flags::parse_from(["test", "--tick", "0"].iter().chain(flags)).common;
    let (memory, hub) = Memory::new(config.history.limits(), 1);
    App::new(config, Method::ServerSentEvents, Arc::new(memory), hub).unwrap()
}

/// Everything that the client gets while it takes 7 bytes at a time.
fn drain(client: &mut Client, far: &FarEnd) -> Vec<u8> {
    let mut received = far.received();
    while client.poll_written().is_pending() {
        far.make_room(7);
        received.extend(far.received());
    }
    received.extend(far.received());
    received
}

#[tokio::test]
async fn whatever_the_client_takes_at_once_it_gets_all_in_order() {
    for room in [0, 1, 5, 6, 17, 1000] {
        let (mut client, far) = Client::in_memory(&app(&[]), room);
        client.write(b"first,");
        client.write_shared([&b"second,"[..], b"", b"third,"].map(Bytes::from_static));
        client.write(b"fourth");
        assert_eq!(client.has_unwritten(), room < 1000);
        let mut received = far.received();
        received.extend(drain(&mut client, &far));
        assert_eq!(String::from_utf8(received).unwrap(), "first,second,third,fourth", "room for {room}");
        assert!(!client.has_unwritten() && !client.is_gone());
    }
}

#[tokio::test]
async fn a_large_answer_shares_its_parts_with_other_answers() {
    let (mut client, far) = Client::in_memory(&app(&[]), 0);
    let part = Bytes::from(vec![b'x'; COPIED + 1]);
    client.answer(Reply::new(StatusCode::OK, Body::from_iter([part.clone()])).with(CONTENT_TYPE, "text/plain"));
    assert!(std::ptr::eq(client.output.unwritten()[1].as_ptr(), part.as_ptr()));
    let received = drain(&mut client, &far);
    let head = received.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    assert_eq!(&received[head + 4..], &part[..]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_for_the_write_time_out_is_gone() {
    let (mut client, far) = Client::in_memory(&app(&["--write-timeout", "10s"]), 3);
    client.write(b"hello");
    tokio::time::advance(Duration::from_secs(9)).await;
    assert!(client.poll_written().is_pending());
    // It has taken something, so its time begins anew.
    far.make_room(1);
    assert!(client.poll_written().is_pending());
    tokio::time::advance(Duration::from_secs(9)).await;
    assert!(client.poll_written().is_pending() && !client.is_gone());
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(client.poll_written().is_ready() && client.is_gone());
}

#[tokio::test]
async fn writing_to_a_client_that_has_gone_does_nothing() {
    let (mut client, far) = Client::in_memory(&app(&[]), 1000);
    far.leave();
    client.write(b"hello");
    assert!(client.is_gone());
    client.write(b"again");
    client.write_shared([Bytes::from_static(b"and again")]);
    assert!(!client.has_unwritten());
}

#[tokio::test]
async fn input_before_an_answer_is_kept_up_to_a_limit() {
    for (flags, limit) in [(&[][..], 64 * 1024), (&["--max-unread-bytes", "32KiB"], 32 * 1024)] {
        let (mut client, far) = Client::in_memory(&app(flags), 1000);
        for _ in 0..limit / READ {
            far.send(vec![b'x'; READ]);
            client.keep_input();
        }
        assert!(!client.is_gone());
        far.send("x");
        client.keep_input();
        assert_eq!((client.take_input().len(), client.is_gone()), (limit, true));
    }
}

fn event(client: &mut Client, takes_input: bool) -> Poll<Event> {
    client.poll_event(&mut Context::from_waker(Waker::noop()), takes_input, |_| Poll::Pending)
}

#[tokio::test]
async fn input_that_is_not_taken_yet_is_reported_later() {
    let (mut client, far) = Client::in_memory(&app(&[]), 1000);
    far.send("x");
    assert_eq!(event(&mut client, false), Poll::Pending);
    assert_eq!(event(&mut client, true), Poll::Ready(Event::Readable));
    client.discard_input();
    assert_eq!(event(&mut client, true), Poll::Pending);
}

#[tokio::test(start_paused = true)]
async fn draining_comes_first_and_the_release_within_the_window() {
    let app = app(&["--drain", "10s"]);
    let (mut client, _far) = Client::in_memory(&app, 1000);
    assert_eq!(event(&mut client, true), Poll::Pending);
    app.begin_drain();
    assert_eq!(event(&mut client, true), Poll::Ready(Event::Draining));
    assert_eq!(event(&mut client, true), Poll::Pending);
    tokio::time::advance(Duration::from_secs(10)).await;
    let _ = tokio::time::timeout(Duration::from_millis(1), app.timers.run()).await;
    assert_eq!(event(&mut client, true), Poll::Ready(Event::Released));
    assert_eq!(event(&mut client, true), Poll::Pending, "it is reported once");
}

/// A waiting client is small: this is a bound for what a change may add without being noticed.
#[test]
fn a_client_is_small() {
    assert!(size_of::<Client>() <= 200, "{}", size_of::<Client>());
}
