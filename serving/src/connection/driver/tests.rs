//! A connection's task: over the transport in memory, and over a socket where tokio's budget matters.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use http::StatusCode;
use tokio::net::{TcpListener, TcpStream};

use super::super::client::tests::app;
use super::super::peer::Peer;
use super::super::pipe::FarEnd;
use super::super::transport::Transport;
use super::*;
use crate::reply::Body;
use crate::routes::{MethodRoute, Upgrade};

/// A service with `GET /method`, which answers `method` at once, and `GET /held`, which is held by a session.
fn routes(app: &Arc<App>, session: impl Fn() -> Box<dyn Session> + Send + Sync + 'static) -> Routes {
    let reply = || Reply::new(StatusCode::OK, Body::from_iter([bytes::Bytes::from_static(b"method")]));
    let at_once = MethodRoute::new("/method", Upgrade::Refused, move |_| async move { Ok(reply().into()) });
    let held = MethodRoute::new("/held", Upgrade::Refused, move |_| {
        let session = session();
        async move { Ok(Answer::Held(Held { session, brought: Brought::default() })) }
    });
    Routes::new(app, vec![at_once, held], &[], None)
}

/// Answers when the client sends a byte, and keeps nothing.
struct AnswerAByte;

impl Session for AnswerAByte {
    fn begin(&mut self, _: &mut Client) {}

    fn on(&mut self, event: Event, client: &mut Client) -> Flow {
        if event != Event::Readable {
            return Flow::Continue;
        }
        client.discard_input();
        client.answer(Reply::new(StatusCode::OK, Body::from_iter([bytes::Bytes::from_static(b"held")])));
        Flow::Finish
    }

    fn poll_event(&mut self, _: &mut Context<'_>) -> Poll<Event> {
        Poll::Pending
    }
}

fn connect(app: &Arc<App>, routes: &Routes) -> (Connection, FarEnd) {
    let (client, far) = Client::in_memory(app, usize::MAX);
    (Connection::new(client, Arc::clone(app), routes.clone(), app.admission.enter()), far)
}

/// Polls the connection's task once. Returns whether it has ended.
async fn turn(connection: &mut Connection) -> bool {
    std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut *connection).poll(cx).is_ready())).await
}

/// Polls the connection's task as often as a few requests need. Returns whether it has ended.
async fn turns(connection: &mut Connection) -> bool {
    for _ in 0..10 {
        if turn(connection).await {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

#[tokio::test]
async fn requests_that_come_together_are_begun_in_a_turn_each() {
    let app = app(&[]);
    for path in ["/method", "/livez"] {
        let (mut connection, far) = connect(&app, &routes(&app, || Box::new(AnswerAByte)));
        far.send(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n").repeat(5));
        let mut received = String::new();
        for answered in 1..=5 {
            assert!(!turn(&mut connection).await);
            received += &far.received_text();
            assert_eq!(received.matches("HTTP/1.1 200 OK").count(), answered, "{path}");
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn requests_of_both_readers_are_answered_in_order_on_one_connection() {
    let app = app(&[]);
    let (mut connection, far) = connect(&app, &routes(&app, || Box::new(AnswerAByte)));
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n");
    far.send([get("/method"), get("/livez"), get("/method"), get("/held")].concat());
    assert!(!turns(&mut connection).await);
    let received = far.received_text();
    let bodies: Vec<_> = ["method", "live", "method"].iter().filter(|body| received.contains(**body)).collect();
    assert_eq!((bodies.len(), received.matches("HTTP/1.1 200 OK").count()), (3, 3), "{received}");
    assert!(received.find("live").unwrap() > received.find("method").unwrap(), "{received}");

    far.send("x");
    assert!(!turn(&mut connection).await);
    assert!(far.received_text().ends_with("held"));
    far.send("GET /method HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    assert!(!turn(&mut connection).await);
    assert!(far.is_closed());
    far.leave();
    assert!(turn(&mut connection).await);
}

#[tokio::test]
async fn a_bad_head_is_answered_by_the_service_and_not_by_hyper() {
    let app = app(&[]);
    for before in ["", "GET /livez HTTP/1.1\r\nhost: test\r\n\r\n"] {
        let (mut connection, far) = connect(&app, &routes(&app, || Box::new(AnswerAByte)));
        far.send(format!("{before}nonsense\r\n\r\n"));
        assert!(!turn(&mut connection).await);
        let received = far.received_text();
        assert_eq!(received.matches("HTTP/1.1 400 Bad Request").count(), 1, "{received}");
        assert!(received.contains(r#""error":"bad_request""#) && far.is_closed(), "{received}");
    }
}

/// Counts its events.
struct Count {
    news: Arc<AtomicUsize>,
    due: Arc<AtomicUsize>,
}

impl Session for Count {
    fn begin(&mut self, client: &mut Client) {
        client.set_due(Instant::now() + Duration::from_millis(20));
    }

    fn on(&mut self, event: Event, client: &mut Client) -> Flow {
        match event {
            Event::Readable => client.discard_input(),
            Event::News => drop(self.news.fetch_add(1, Ordering::Relaxed)),
            Event::Due => drop(self.due.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
        if event == Event::Due { Flow::Drop } else { Flow::Continue }
    }

    fn poll_event(&mut self, _: &mut Context<'_>) -> Poll<Event> {
        Poll::Ready(Event::News)
    }
}

#[tokio::test]
async fn a_client_that_never_stops_sending_keeps_its_session_neither_from_news_nor_from_its_time() {
    let app = app(&[]);
    let (news, due) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let counts = (Arc::clone(&news), Arc::clone(&due));
    let session =
        move || Box::new(Count { news: Arc::clone(&counts.0), due: Arc::clone(&counts.1) }) as Box<dyn Session>;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sender = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let stream = listener.accept().await.unwrap().0;
    let peer = Peer::Address(sender.local_addr().unwrap());
    let client = Client::new(Transport::Tcp(stream), peer, Arc::clone(&app), false, None);
    let mut connection = Connection::new(client, Arc::clone(&app), routes(&app, session), app.admission.enter());
    let flood = || while sender.writable().now_or_never().is_some() && sender.try_write(&[b'x'; 64 * 1024]).is_ok() {};
    sender.writable().await.unwrap();
    sender.try_write(b"GET /held HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    while !turn(&mut connection).await {
        flood();
        tokio::task::yield_now().await;
    }
    assert_eq!(due.load(Ordering::Relaxed), 1);
    assert!(news.load(Ordering::Relaxed) > 0);
}

/// Counts how often it reads, and how often it is asked for news.
struct CountReads(Arc<[AtomicUsize; 2]>);

impl Session for CountReads {
    fn begin(&mut self, client: &mut Client) {
        client.never_due();
    }

    fn on(&mut self, event: Event, client: &mut Client) -> Flow {
        if event == Event::Readable {
            client.discard_input();
            self.0[0].fetch_add(1, Ordering::Relaxed);
        }
        Flow::Continue
    }

    fn poll_event(&mut self, _: &mut Context<'_>) -> Poll<Event> {
        self.0[1].fetch_add(1, Ordering::Relaxed);
        Poll::Pending
    }
}

#[tokio::test]
async fn a_client_that_sends_much_is_read_in_turns() {
    let app = app(&[]);
    let counts = Arc::<[AtomicUsize; 2]>::default();
    let counted = Arc::clone(&counts);
    let session = move || Box::new(CountReads(Arc::clone(&counted))) as Box<dyn Session>;
    let (mut connection, far) = connect(&app, &routes(&app, session));
    far.send("GET /held HTTP/1.1\r\nhost: test\r\n\r\n");
    assert!(!turn(&mut connection).await);
    far.send([b'x'; 10 * 16 * 1024]);
    let news = counts[1].load(Ordering::Relaxed);
    assert!(!turn(&mut connection).await);
    assert_eq!(counts[0].load(Ordering::Relaxed), READS);
    assert!(counts[1].load(Ordering::Relaxed) > news, "it was asked for news in the same turn");
    // Nothing more comes, and the rest is read all the same.
    let task = tokio::spawn(connection);
    let all_read = async {
        while counts[0].load(Ordering::Relaxed) < 10 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all_read).await.expect("all of it is read");
    task.abort();
}

/// The future of a connection's task is small: this is a bound for what a change may add without being noticed.
#[test]
fn a_connection_is_small() {
    assert!(size_of::<Connection>() <= 272, "{}", size_of::<Connection>());
}

/// Ends as soon as it is released.
struct UntilReleased;

impl Session for UntilReleased {
    fn begin(&mut self, client: &mut Client) {
        client.never_due();
    }

    fn on(&mut self, event: Event, client: &mut Client) -> Flow {
        if event != Event::Released {
            return Flow::Continue;
        }
        client.answer(Reply::new(StatusCode::OK, Body::from_iter([bytes::Bytes::from_static(b"released")])));
        Flow::Finish
    }

    fn poll_event(&mut self, _: &mut Context<'_>) -> Poll<Event> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_begins_after_its_turn_to_go_is_released_at_once() {
    let app = app(&["--drain", "10s"]);
    let found = Arc::new(tokio::sync::Notify::new());
    let slow = {
        let found = Arc::clone(&found);
        MethodRoute::new("/slow", Upgrade::Refused, move |_| {
            let found = Arc::clone(&found);
            async move {
                found.notified().await;
                Ok(Answer::Held(Held { session: Box::new(UntilReleased), brought: Brought::default() }))
            }
        })
    };
    let (mut connection, far) = connect(&app, &Routes::new(&app, vec![slow], &[], None));
    far.send("GET /slow HTTP/1.1\r\nhost: test\r\n\r\n");
    assert!(!turn(&mut connection).await);
    app.begin_drain();
    assert!(!turn(&mut connection).await);
    tokio::time::advance(Duration::from_secs(9)).await;
    let _ = tokio::time::timeout(Duration::from_millis(1), app.timers.run()).await;
    assert!(!turn(&mut connection).await);
    found.notify_one();
    assert!(!turn(&mut connection).await);
    assert!(far.received_text().ends_with("released"));
}
