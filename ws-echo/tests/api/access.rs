//! A closed service.

use serde_json::{Value, json};
use testkit::tokens::{CLOSED, Case, SHORT, assert_on_time, cases, short_token, token_with};
use testkit::{RawClient, Server, client, soon};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::helpers::{Feed, Ws, spawn_app};
use crate::raw::handshake;

testkit::access_behaviours!(Feed);

/// Opens a WebSocket as a page does that has a token: by a second subprotocol.
async fn open(server: &Server, path: &str, token: &str) -> Result<Ws, u16> {
    let uri = server.ws_url(path).parse().unwrap();
    let request =
        ClientRequestBuilder::new(uri).with_sub_protocol("push").with_sub_protocol(format!("push.token.{token}"));
    match soon(connect_async(request.into_client_request().unwrap())).await {
        Ok((ws, answer)) => {
            assert_eq!(answer.headers()["sec-websocket-protocol"], "push");
            Ok(Ws(ws))
        }
        Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

/// Opens a feed, and returns it after its welcome.
async fn feed(server: &Server, token: &str) -> Ws {
    let mut ws = open(server, "/feed?topic=a.b", token).await.unwrap();
    assert_eq!(ws.json().await["type"], "welcome");
    ws
}

#[tokio::test]
async fn a_token_by_subprotocol_opens_what_its_claims_say() {
    let server = spawn_app(&CLOSED).await;
    for Case { name, token, subscribe, .. } in cases() {
        // A subprotocol is a token of HTTP, which is not empty.
        let Some(token) = token.filter(|token| !token.is_empty()) else { continue };
        let status = open(&server, "/feed?topic=a.%3E", &token).await.err();
        let expected = match subscribe {
            "" => None,
            "forbidden" => Some(403),
            _ => Some(401),
        };
        assert_eq!(status, expected, "{name}");
    }
}

#[tokio::test]
async fn the_subprotocol_of_a_token_comes_beside_the_one_that_is_chosen() {
    let server = spawn_app(&CLOSED).await;
    let token = token_with(json!({}));
    for path in ["/feed?topic=a.b", "/"] {
        for (offered, status, chosen) in [
            (format!("push, push.token.{token}"), 101, true),
            (format!("push.token.{token}\r\nsec-websocket-protocol: push"), 101, true),
            (format!("push.token.{token}"), 400, false),
            (format!("other, push.token.{token}"), 400, false),
            ("push".to_owned(), 401, false),
            ("push, push.token.".to_owned(), 401, false),
        ] {
            let mut client = RawClient::connect(server.address()).await;
            let request =
                handshake(path).replace("\r\n\r\n", &format!("\r\nsec-websocket-protocol: {offered}\r\n\r\n"));
            client.send(request).await;
            let head = client.read_until("\r\n\r\n").await;
            assert_eq!(head[9..12].parse(), Ok(status), "{path} {offered}: {head}");
            assert_eq!(head.contains("sec-websocket-protocol: push\r\n"), chosen, "{head}");
            assert!(!head.contains(&token), "{head}");
        }
    }
}

#[tokio::test]
async fn publishing_on_the_feed_is_what_the_claims_say() {
    let server = spawn_app(&[&CLOSED[..], &["--anonymous-subscribe", "a.b"]].concat()).await;
    let publish = json!({ "type": "publish", "topic": "a.b", "text": "x", "key": "k" });
    for (claims, error) in [
        (json!({}), None),
        (json!({ "publish": ["a.>"] }), None),
        (json!({ "publish": null }), Some("forbidden")),
        (json!({ "publish": ["a", "a.c", "a.*.b"] }), Some("forbidden")),
    ] {
        let mut ws = feed(&server, &token_with(claims.clone())).await;
        let answer = ws.ask(publish.clone()).await;
        assert_eq!(answer["error"].as_str(), error, "{claims}: {answer}");
        assert_eq!(answer["key"], "k");
    }
    let (mut anonymous, _) = Ws::feed(server.address(), "/feed?topic=a.b").await;
    assert_eq!(anonymous.ask(publish.clone()).await["error"], "unauthorized");
    // It need not connect again to sign in.
    let renewed = anonymous.ask(json!({ "type": "token", "token": token_with(json!({})) })).await;
    assert_eq!(renewed["type"], "token", "{renewed}");
    assert_eq!(anonymous.ask(publish).await["type"], "ack");
}

#[tokio::test]
async fn the_echo_is_for_those_who_have_a_token() {
    let server = spawn_app(&CLOSED).await;
    let (token, end) = short_token();
    let mut ws = open(&server, "/", &token).await.unwrap();
    ws.send("hello").await;
    assert!(ws.message().await.into_text().unwrap().contains("hello"));
    assert_eq!(ws.close_code().await, 3000);
    assert_on_time(end);
    assert_eq!(open(&server, "/", "garbage").await.err(), Some(401));
}

#[tokio::test]
async fn a_feed_hears_of_the_end_of_its_token_and_is_closed_then() {
    let server = spawn_app(&CLOSED).await;
    let (token, end) = short_token();
    let mut ws = feed(&server, &token).await;
    let expiring = ws.json().await;
    let left = expiring["in"].as_u64().unwrap();
    assert!(left <= SHORT.as_secs() + 1, "{expiring}");
    assert_eq!(expiring, json!({ "type": "token_expiring", "in": left }));
    let request = client().post(server.url("/messages?topic=a.b")).bearer_auth(token_with(json!({}))).body("due");
    assert_eq!(soon(request.send()).await.unwrap().status(), 201);
    assert_eq!(ws.json().await["text"], "due");
    let close = ws.closed().await.unwrap();
    assert_on_time(end);
    assert_eq!(
        (u16::from(close.code), close.reason.as_str()),
        (3000, "the token has expired, connect again with another")
    );
}

#[tokio::test]
async fn a_feed_goes_on_with_another_token() {
    let server = spawn_app(&CLOSED).await;
    let (token, end) = short_token();
    let mut ws = feed(&server, &token).await;
    assert_eq!(ws.json().await["type"], "token_expiring");
    let exp = token::now() + 2.0 * SHORT.as_secs_f64();
    let renewed = ws.ask(json!({ "type": "token", "token": token_with(json!({ "exp": exp, "publish": [] })) })).await;
    assert_eq!(renewed["type"], "token");
    assert!((renewed["exp"].as_f64().unwrap() - exp).abs() < 0.001, "{renewed}");
    assert_eq!(ws.json().await["type"], "token_expiring");
    let publish = ws.ask(json!({ "type": "publish", "topic": "a.b", "text": "x" })).await;
    assert_eq!(publish["error"], "forbidden", "the rights are those of the new one");
    assert_eq!(ws.close_code().await, 3000);
    assert_on_time(end + SHORT);
}

#[tokio::test]
async fn a_token_that_does_not_follow_the_one_before_is_refused() {
    let server = spawn_app(&CLOSED).await;
    let (token, end) = short_token();
    let mut ws = feed(&server, &token).await;
    assert_eq!(ws.json().await["type"], "token_expiring");
    for (token, error) in [
        (token_with(json!({ "sub": "eve" })), "forbidden"),
        (token_with(json!({ "sub": null })), "forbidden"),
        (token_with(json!({ "subscribe": ["a.c"] })), "forbidden"),
        (token_with(json!({ "subscribe": null })), "forbidden"),
        (token_with(json!({ "exp": 1 })), "unauthorized"),
        (token_with(json!({ "iss": "https://evil.example" })), "unauthorized"),
        ("garbage".to_owned(), "unauthorized"),
        (String::new(), "unauthorized"),
    ] {
        let answer = ws.ask(json!({ "type": "token", "token": token })).await;
        assert_eq!((answer["type"].as_str(), answer["error"].as_str()), (Some("error"), Some(error)), "{token}");
    }
    for frame in [
        json!({ "type": "token" }),
        json!({ "type": "token", "token": 7 }),
        json!({ "type": "token", "token": "", "x": 1 }),
    ] {
        assert_eq!(ws.ask(frame.clone()).await["error"], "bad_frame", "{frame}");
    }
    assert_eq!(
        ws.ask(json!({ "type": "publish", "topic": "a.b", "text": "x" })).await["type"],
        "ack",
        "the old one counts"
    );
    let own: Value = ws.json().await;
    assert_eq!(own["text"], "x");
    assert_eq!(ws.close_code().await, 3000);
    assert_on_time(end);
}

/// A ticket has the rights of its token wherever one counts, and the echo asks for nothing but a good one.
#[tokio::test]
async fn a_ticket_opens_the_echo_and_nothing_else_in_the_query_does() {
    let server = spawn_app(&CLOSED).await;
    let good = token_with(json!({}));
    let answer = soon(client().post(server.url("/ticket")).bearer_auth(&good).send()).await.unwrap();
    let answer: Value = soon(answer.json()).await.unwrap();
    let ticket = answer["ticket"].as_str().unwrap();
    for (query, status) in [
        (format!("?ticket={ticket}"), 101),
        (format!("?ticket={good}"), 401),
        (format!("?token={good}"), 401),
        (String::new(), 401),
    ] {
        let mut client = RawClient::connect(server.address()).await;
        client.send(handshake(&format!("/{query}"))).await;
        let head = client.read_until("\r\n").await;
        assert_eq!(head[9..12].parse(), Ok(status), "{query}");
    }
}
