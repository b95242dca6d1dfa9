//! A poll leaves its connection ready for the next one.

use testkit::{HUGE, HUGE_ALLOWED, RawClient, huge, publish, soon};

use crate::helpers::{Answer, ask, cursor, hold, settle, spawn_app, texts};

#[tokio::test]
async fn many_polls_go_over_one_connection() {
    let server = spawn_app(&[]).await;
    let mut client = RawClient::connect(server.address()).await;
    let mut since = "earliest".to_owned();
    for round in 0..20 {
        // By turns held and answered at once.
        if round % 2 == 0 {
            publish(&server, "main", round.to_string()).await;
        }
        client.send(format!("GET /poll?since={since} HTTP/1.1\r\nhost: test\r\n\r\n")).await;
        if round % 2 == 1 {
            settle(&server).await;
            publish(&server, "main", round.to_string()).await;
        }
        let answer = Answer::read(&mut client).await;
        assert_eq!(answer.header("connection"), None, "{answer:?}");
        let page = answer.json();
        assert_eq!(texts(&page), [round.to_string()]);
        since = cursor(&page).to_owned();
    }
    // A 204 has no body, so what follows it is the next answer; and other routes are served too.
    for (request, status) in [("/poll?wait=0.01", 200), ("/poll?wait=0.01&topic=x", 204), ("/nowhere", 404)] {
        client.send(format!("GET {request} HTTP/1.1\r\nhost: test\r\n\r\n")).await;
        assert_eq!(Answer::read(&mut client).await.status, status, "{request}");
    }
}

#[tokio::test]
async fn a_request_sent_while_the_one_before_is_held_is_answered_after_it() {
    let server = spawn_app(&[]).await;
    let poll = |topic: &str| format!("GET /poll?since=now&topic={topic} HTTP/1.1\r\nhost: test\r\n\r\n");
    let livez = "GET /livez HTTP/1.1\r\nhost: test\r\n\r\n";
    // In one piece, as two, and in pieces that end in the middle of a request.
    let whole = format!("{}{livez}{}", poll("a"), poll("b"));
    for cuts in [vec![], vec![poll("a").len()], vec![poll("a").len() + 7, poll("a").len() + livez.len() + 30], vec![9]]
    {
        let mut client = RawClient::connect(server.address()).await;
        let mut sent = 0;
        for cut in cuts.into_iter().chain([whole.len()]) {
            client.send(&whole[sent..cut]).await;
            sent = cut;
            settle(&server).await;
        }
        publish(&server, "a", "first").await;
        assert_eq!(texts(&Answer::read(&mut client).await.json()), ["first"]);
        assert_eq!(Answer::read(&mut client).await.json()["status"], "live");
        settle(&server).await;
        publish(&server, "b", "last").await;
        assert_eq!(texts(&Answer::read(&mut client).await.json()), ["last"]);
    }
}

#[tokio::test]
async fn an_answer_before_a_held_poll_is_not_held_with_it() {
    let server = spawn_app(&[]).await;
    let mut client = RawClient::connect(server.address()).await;
    client.send("GET /livez HTTP/1.1\r\nhost: test\r\n\r\nGET /poll HTTP/1.1\r\nhost: test\r\n\r\n").await;
    assert_eq!(Answer::read(&mut client).await.json()["status"], "live");
    settle(&server).await;
    publish(&server, "main", "then").await;
    assert_eq!(Answer::read(&mut client).await.json()["text"], "then");
}

#[tokio::test]
async fn a_connection_is_closed_or_kept_as_the_client_asks() {
    let server = spawn_app(&[]).await;
    for (version, header, stays) in [
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: x, CLOSE\r\n", false),
        ("1.0", "", false),
        ("1.0", "Connection: close\r\n", false),
        ("1.0", "Connection: keep-alive\r\n", true),
        ("1.1", "Connection: keep-alive\r\n", true),
        ("1.1", "", true),
    ] {
        for path in ["/poll?since=now&wait=0.01", "/poll?wait=0.01", "/poll?since=earliest&wait=0.01"] {
            let mut client = RawClient::connect(server.address()).await;
            let request = format!("GET {path} HTTP/{version}\r\nhost: test\r\n{header}\r\n");
            client.send(&request).await;
            let answer = Answer::read(&mut client).await;
            if stays {
                let option = (version == "1.0").then_some("keep-alive");
                assert_eq!(answer.header("connection"), option, "{request}");
                client.send(&request).await;
                assert_eq!(Answer::read(&mut client).await.status, answer.status, "{request}");
            } else {
                assert_ne!(answer.header("connection"), Some("keep-alive"), "{request}");
                assert_eq!(client.read_to_end().await, "", "{request}");
            }
        }
        // The last of the paths has something to answer at once from the second round on.
        publish(&server, "main", "news").await;
        soon(ask(&server, "wait=0")).await;
    }
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off_while_others_go_on() {
    let server = spawn_app(&[&HUGE_ALLOWED[..], &["--write-timeout", "2s"]].concat()).await;
    let mut was_held = hold(&server, "since=now").await;
    let mut reads = hold(&server, "since=now").await;
    publish(&server, "main", huge("x")).await;
    let mut at_once = hold(&server, "since=earliest").await;
    assert_eq!(texts(&Answer::read(&mut reads).await.json())[0].len(), HUGE);
    for stalled in [&mut was_held, &mut at_once] {
        stalled.cut_off().await;
        assert!(stalled.read_to_end().await.len() < HUGE, "it was cut off with the rest unsent");
    }
    let page = ask(&server, "since=earliest").await;
    assert_eq!(page.status(), 200);
}
