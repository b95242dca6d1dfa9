//! A WebSocket as a state machine, without a socket and without a runtime.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use clap::Parser;
use serving::app::App;
use serving::connection::FarEnd;

use super::*;
use crate::Config;

const ROOMY: usize = 1 << 20;

fn app() -> Arc<App> {
    let config = Config::parse_from(["ws-echo"]);
    let (backplane, hub) = config.open_history().unwrap();
    App::new(config.flags.common, serving::metrics::Method::WebSockets, backplane, hub).unwrap()
}

/// A conversation that repeats messages, and can be made busy.
#[derive(Default)]
struct Repeat {
    messages: usize,
    busy: bool,
}

impl Conversation for Repeat {
    fn begin(&mut self, _: &mut Client) {}

    fn on_message(&mut self, message: Message, _: &mut Client, answers: &mut Vec<u8>) {
        self.messages += 1;
        let Message::Text(text) = message else { return };
        self.busy = text == "busy";
        answers.extend_from_slice(text.as_bytes());
    }

    fn takes_messages(&self) -> bool {
        !self.busy
    }

    fn heartbeat(&mut self, _: &mut Client) {}

    fn on(&mut self, event: Event, _: &mut Client) -> Option<Close> {
        self.busy = false;
        (event == Event::Released).then_some(Close::Restart)
    }

    fn poll_event(&mut self, _: &mut Context<'_>) -> Poll<Event> {
        Poll::Pending
    }
}

/// A client's frame, masked with zeroes.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    [&[first, 0x80 | payload.len() as u8, 0, 0, 0, 0], payload].concat()
}

fn text(text: &str) -> Vec<u8> {
    frame(0x81, text.as_bytes())
}

fn open(app: &Arc<App>, full: bool, room: usize) -> (WebSocket<Repeat>, Client, FarEnd) {
    let mut socket = WebSocket::new(Box::default(), full, 1000, Repeat::default());
    let (mut client, far) = Client::in_memory(app, room);
    socket.begin(&mut client);
    (socket, client, far)
}

/// An open WebSocket after its handshake.
fn opened() -> (WebSocket<Repeat>, Client, FarEnd) {
    let opened = open(&app(), false, ROOMY);
    assert!(opened.2.received_text().starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
    opened
}

fn poll(session: &mut impl Session) -> Poll<Event> {
    session.poll_event(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn messages_that_came_together_are_answered_in_one_write() {
    let (mut socket, mut client, far) = opened();
    far.send([text("a"), frame(0x89, b"p"), text("b")].concat());
    assert_eq!(socket.on(Event::Readable, &mut client), Flow::Continue);
    assert_eq!(far.received(), b"a\x8a\x01pb");
    assert_eq!(poll(&mut socket), Poll::Pending);
}

#[tokio::test]
async fn while_a_message_is_being_dealt_with_no_other_is_taken() {
    let (mut socket, mut client, far) = opened();
    far.send([text("busy"), text("next")].concat());
    assert_eq!(socket.on(Event::Readable, &mut client), Flow::Continue);
    assert_eq!((far.received_text(), socket.takes_input()), ("busy".to_owned(), false));
    assert_eq!(poll(&mut socket), Poll::Pending);

    assert_eq!(socket.on(Event::Done, &mut client), Flow::Continue);
    assert_eq!(poll(&mut socket), Poll::Ready(Event::News), "the next message is here already");
    assert_eq!(socket.on(Event::News, &mut client), Flow::Continue);
    assert_eq!((far.received_text(), socket.takes_input()), ("next".to_owned(), true));
}

#[tokio::test]
async fn a_close_of_the_client_is_answered_after_the_messages_before_it() {
    let (mut socket, mut client, far) = opened();
    far.send([text("a"), frame(0x88, &[0x03, 0xe8]), text("never")].concat());
    assert_eq!(socket.on(Event::Readable, &mut client), Flow::Finish);
    assert_eq!(far.received(), b"a\x88\x02\x03\xe8");
    assert_eq!(socket.conversation.messages, 1);
}

#[tokio::test]
async fn a_client_that_breaks_the_protocol_is_closed_and_not_listened_to() {
    let (mut socket, mut client, far) = opened();
    far.send([text("a"), vec![0xff]].concat());
    assert_eq!(socket.on(Event::Readable, &mut client), Flow::Continue, "half a frame is none yet");
    far.send([0xff; 20]);
    assert_eq!(socket.on(Event::Readable, &mut client), Flow::Finish);
    let received = far.received();
    assert_eq!((&received[..2], &received[3..5]), (&b"a\x88"[..], &1002u16.to_be_bytes()[..]));
}

#[tokio::test]
async fn a_socket_that_is_released_waits_for_the_client_to_close_too() {
    let (mut socket, mut client, far) = opened();
    assert_eq!(socket.on(Event::Released, &mut client), Flow::Continue);
    assert_eq!(&far.received()[2..4], &1012u16.to_be_bytes());
    far.send(text("on its way"));
    assert_eq!(socket.on(Event::Readable, &mut client), Flow::Continue);
    assert_eq!((far.received_text(), socket.conversation.messages), (String::new(), 0));
    far.send(frame(0x88, &[0x03, 0xe8]));
    assert_eq!(socket.on(Event::Readable, &mut client), Flow::Finish);

    let (mut socket, mut client, _far) = opened();
    assert_eq!(socket.on(Event::Released, &mut client), Flow::Continue);
    assert_eq!(socket.on(Event::Due, &mut client), Flow::Finish, "it does not wait for ever");
}

#[tokio::test]
async fn where_there_is_no_room_the_close_frame_follows_the_handshake() {
    let (mut socket, mut client, far) = open(&app(), true, ROOMY);
    assert_eq!(poll(&mut socket), Poll::Ready(Event::News));
    assert_eq!(socket.on(Event::News, &mut client), Flow::Continue);
    let received = far.received();
    let close = received.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(&received[close + 2..close + 4], &1013u16.to_be_bytes());
}

#[tokio::test(start_paused = true)]
async fn a_client_without_a_sign_of_life_for_two_heartbeats_is_closed() {
    let (mut socket, mut client, far) = opened();
    let period = client.app().config.connections.heartbeat;
    tokio::time::advance(socket.heartbeat - Instant::now()).await;
    for _ in 0..2 {
        assert_eq!(socket.on(Event::Due, &mut client), Flow::Continue);
        assert_eq!(far.received(), b"\x89\x00");
        tokio::time::advance(socket.heartbeat - Instant::now()).await;
    }
    assert_eq!(socket.heartbeat - socket.heard, 2 * period);
    assert_eq!(socket.on(Event::Due, &mut client), Flow::Continue);
    assert_eq!(&far.received()[2..4], &1008u16.to_be_bytes());
}

/// Lets time pass, and has the session handle that it is due.
async fn pass(time: Duration, socket: &mut WebSocket<Repeat>, client: &mut Client) -> Flow {
    tokio::time::advance(time).await;
    socket.on(Event::Due, client)
}

#[tokio::test(start_paused = true)]
async fn a_message_that_has_begun_has_to_be_whole_within_the_read_time_out() {
    let whole = text("a message");
    let fragments = [frame(0x01, b"a"), frame(0x80, b"b")].concat();
    for begun in [&whole[..1], &whole[..4], &whole[..10], &fragments[..7], &fragments[..9], &frame(0x89, b"ping")[..3]]
    {
        let (mut socket, mut client, far) = opened();
        let within = client.app().config.connections.read_timeout;
        socket.heartbeat += 10 * within;
        far.send(begun);
        assert_eq!(socket.on(Event::Readable, &mut client), Flow::Continue);
        assert_eq!(pass(within / 2, &mut socket, &mut client).await, Flow::Continue);
        // Neither a control frame between the fragments nor another byte makes it begin anew.
        far.send(if begun.len() == 7 { frame(0x89, b"") } else { Vec::new() });
        assert_eq!(socket.on(Event::Readable, &mut client), Flow::Continue);
        far.received();
        assert_eq!(pass(within / 2, &mut socket, &mut client).await, Flow::Finish, "{begun:?}");
        let received = far.received();
        assert_eq!((received[0], &received[2..4]), (0x88, &1008u16.to_be_bytes()[..]), "{begun:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_message_has_the_read_time_out_to_itself() {
    let (mut socket, mut client, far) = opened();
    let within = client.app().config.connections.read_timeout;
    socket.heartbeat += 100 * within;
    let message = text("x");
    far.send(&message[..3]);
    for _ in 0..5 {
        assert_eq!(socket.on(Event::Readable, &mut client), Flow::Continue);
        assert_eq!(pass(within * 2 / 3, &mut socket, &mut client).await, Flow::Continue);
        // The end of one message, and the beginning of the next.
        far.send([&message[3..], &message[..3]].concat());
    }
    far.send(&message[3..]);
    assert_eq!(socket.on(Event::Readable, &mut client), Flow::Continue);
    assert_eq!(pass(within * 2, &mut socket, &mut client).await, Flow::Continue, "nothing has begun");
    assert_eq!(far.received_text(), "x".repeat(socket.conversation.messages));
}

#[tokio::test]
async fn frames_that_came_with_the_handshake_are_read() {
    let app = app();
    let (mut client, far) = Client::in_memory(&app, ROOMY);
    far.send(text("early"));
    client.keep_input();
    let mut socket = WebSocket::new(Box::default(), false, 1000, Repeat::default());
    socket.begin(&mut client);
    far.received();
    assert_eq!(poll(&mut socket).map(|event| socket.on(event, &mut client)), Poll::Ready(Flow::Continue));
    assert_eq!(far.received_text(), "early");
    assert_eq!(poll(&mut socket).map(|_| ()), Poll::Pending);
}

/// A waiting session is small: this is a bound for what a change may add without being noticed.
#[test]
fn a_session_is_small() {
    assert!(size_of::<WebSocket<crate::feed::Feed>>() <= 256, "{}", size_of::<WebSocket<crate::feed::Feed>>());
}

/// Pings and parts of messages without end cost little: whoever sends them is read now and then, in whatever pieces they come.
#[tokio::test(start_paused = true)]
async fn a_client_whose_frames_bring_nothing_rests() {
    let enough = EMPTY_FRAMES as usize;
    let pings = |count| frame(0x89, b"").repeat(count);
    let parts = [frame(0x01, b"x"), frame(0x00, b"").repeat(enough)].concat();
    for (pieces, windows) in [
        (vec![pings(enough)], 0),
        (vec![pings(enough + 1)], 2),
        (vec![pings(10 * enough)], 10),
        (vec![pings(enough / 2 + 1); 2], 2),
        (vec![parts], 2),
        (vec![text("a").repeat(2 * enough)], 0),
    ] {
        let (mut socket, mut client, far) = opened();
        for piece in pieces {
            far.send(piece);
            assert_eq!(socket.on(Event::Readable, &mut client), Flow::Continue);
        }
        assert_eq!(socket.takes_input(), windows == 0);
        if windows > 2 {
            assert_eq!(pass(WINDOW * (windows - 1), &mut socket, &mut client).await, Flow::Continue);
            assert!(!socket.takes_input(), "more frames, a longer rest");
        }
        assert_eq!(pass(2 * WINDOW, &mut socket, &mut client).await, Flow::Continue);
        assert!(socket.takes_input(), "the rest is over");
    }
    let (mut socket, mut client, far) = opened();
    for _ in 0..10 {
        far.send(pings(enough));
        assert_eq!(socket.on(Event::Readable, &mut client), Flow::Continue);
        assert!(socket.takes_input(), "it sends slowly enough");
        assert_eq!(pass(WINDOW, &mut socket, &mut client).await, Flow::Continue);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_not_listened_to_is_not_silent() {
    let (mut socket, mut client, far) = opened();
    far.send([text("busy"), text("next")].concat());
    assert_eq!(socket.on(Event::Readable, &mut client), Flow::Continue);
    for _ in 0..5 {
        tokio::time::advance(socket.heartbeat - Instant::now()).await;
        assert_eq!(socket.on(Event::Due, &mut client), Flow::Continue);
    }
    assert!(matches!(socket.phase, Phase::Open));
    // Now that it is listened to, it has its time.
    assert_eq!(socket.on(Event::Done, &mut client), Flow::Continue);
    assert_eq!(socket.on(Event::News, &mut client), Flow::Continue);
    assert!(socket.heard + client.app().config.connections.heartbeat >= socket.heartbeat);
}

#[tokio::test]
async fn messages_that_were_read_are_dealt_with_before_the_client_is_released() {
    let (mut socket, mut client, far) = opened();
    far.send([text("busy"), text("next")].concat());
    assert_eq!(socket.on(Event::Readable, &mut client), Flow::Continue);
    assert_eq!(socket.on(Event::Released, &mut client), Flow::Continue);
    assert_eq!((far.received_text(), poll(&mut socket)), ("busy".to_owned(), Poll::Pending));
    assert_eq!(socket.on(Event::Done, &mut client), Flow::Continue);
    assert_eq!(poll(&mut socket).map(|event| socket.on(event, &mut client)), Poll::Ready(Flow::Continue));
    assert_eq!(far.received_text(), "next");
    assert_eq!(poll(&mut socket), Poll::Ready(Event::Released));
    assert_eq!(socket.on(Event::Released, &mut client), Flow::Continue);
    assert_eq!(&far.received()[2..4], &1012u16.to_be_bytes());
}
