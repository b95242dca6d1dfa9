//! Tests of a closed service: the rights that a token, a ticket or a cookie gives.

use std::net::SocketAddr;

use reqwest::{RequestBuilder, Response, StatusCode, Version};
use serde_json::{Value, json};

use crate::client::client;
use crate::process::Process;
use crate::server::Server;
use crate::service::Service;
use crate::soon::soon;
use crate::tls::Identity;
use crate::tokens::{CLOSED, Case, SECRET, cases, token_with};

/// The header of a token, if there is one.
fn authorized(request: RequestBuilder, token: Option<&str>) -> RequestBuilder {
    match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    }
}

/// Checks that an answer is what a case asks for: refused with an error that says no more, or not refused.
///
/// # Panics
/// When it is not.
pub async fn assert_answer(answer: Response, error: &str, what: &str) {
    let status = answer.status();
    if error.is_empty() {
        assert!(status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS, "{what}: {status}");
        return;
    }
    let challenge = answer.headers().get("www-authenticate").map(|value| value.to_str().unwrap_or_default().to_owned());
    let body = soon(answer.text()).await.expect("a body");
    let json: Value = serde_json::from_str(&body).expect("the body is JSON");
    assert_eq!(json["error"], error, "{what}: {body}");
    match error {
        "unauthorized" => {
            assert_eq!((status, challenge.as_deref()), (StatusCode::UNAUTHORIZED, Some("Bearer")), "{what}");
            let message = "a good token is needed; send one as `Authorization: Bearer`";
            assert_eq!(json, json!({ "error": "unauthorized", "message": message }), "{what}");
        }
        _ => {
            assert_eq!((status, challenge), (StatusCode::FORBIDDEN, None), "{what}");
            let message = json["message"].as_str().unwrap_or_default();
            assert!(
                message.contains("the token's claim `") && message.contains("` does not cover \""),
                "{what}: {body}"
            );
        }
    }
    assert!(!body.contains("confidential"), "{what}: {body}");
}

/// A request that publishes a text.
pub(crate) fn posting(address: SocketAddr, topic: &str, text: &str) -> RequestBuilder {
    client().post(format!("http://{address}/messages?topic={topic}")).body(text.to_owned())
}

/// Each token gives what its claims say, and nothing else, to every request.
pub async fn a_token_gives_what_its_claims_say<S: Service>() {
    let server = S::start(&CLOSED).await;
    let address = server.address();
    let good = token_with(json!({}));
    let confidential = posting(address, "a.b", "confidential").bearer_auth(&good);
    assert_eq!(soon(confidential.send()).await.expect("an answer").status(), StatusCode::CREATED);
    for Case { name, token, publish, subscribe, ticket } in cases() {
        let token = token.as_deref();
        let answer = soon(authorized(posting(address, "a.b", name), token).send()).await.expect("an answer");
        assert_answer(answer, publish, &format!("publishing with a token {name}")).await;
        let history = client().get(server.url("/messages?topic=a.%3E"));
        let answer = soon(authorized(history, token).send()).await.expect("an answer");
        assert_answer(answer, subscribe, &format!("the history with a token {name}")).await;
        let following = S::request(address, "topic=a.%3E&since=earliest");
        let answer = soon(authorized(following, token).send()).await.expect("an answer");
        assert_answer(answer, subscribe, &format!("following with a token {name}")).await;
        let answer = soon(authorized(client().post(server.url("/ticket")), token).send()).await.expect("an answer");
        assert_answer(answer, ticket, &format!("a ticket with a token {name}")).await;
    }
    let page = client().get(server.url("/messages?topic=a.b&limit=1000")).bearer_auth(&good);
    let page: Value = soon(soon(page.send()).await.expect("an answer").json()).await.expect("a page");
    let texts: Vec<_> = page["messages"].as_array().expect("messages").iter().map(|message| &message["text"]).collect();
    assert_eq!(texts, ["confidential", "right", "for everything", "in its leeway"]);
    for path in ["/", "/livez", "/readyz", "/compare"] {
        assert_eq!(soon(client().get(server.url(path)).send()).await.expect("an answer").status(), 200, "{path}");
    }
}

/// Topics that everybody may follow need no token, and cannot be published on without one.
pub async fn anonymous_clients_follow_the_topics_that_are_for_everybody<S: Service>() {
    let server = S::start(&[&CLOSED[..], &["--anonymous-subscribe", "news.>,open"]].concat()).await;
    let publishing = posting(server.address(), "open", "m").bearer_auth(token_with(json!({ "publish": ["open"] })));
    assert_answer(soon(publishing.send()).await.expect("an answer"), "", "publishing").await;
    for (topics, error) in [
        ("topic=open&since=earliest", ""),
        ("topic=news.*&topic=open&since=earliest", ""),
        ("topic=open&topic=a.b&since=earliest", "unauthorized"),
        ("topic=news&since=earliest", "unauthorized"),
        ("topic=%3E&since=earliest", "unauthorized"),
        ("since=earliest", "unauthorized"),
    ] {
        let answer = soon(S::request(server.address(), topics).send()).await.expect("an answer");
        assert_answer(answer, error, topics).await;
    }
    let both = S::request(server.address(), "topic=open&topic=a.b&since=earliest").bearer_auth(token_with(json!({})));
    assert_answer(soon(both.send()).await.expect("an answer"), "", "with a token for the other one").await;
    let bad = S::request(server.address(), "topic=open&since=earliest").bearer_auth("bad");
    assert_answer(soon(bad.send()).await.expect("an answer"), "unauthorized", "with a bad token").await;
    assert_answer(soon(posting(server.address(), "open", "m").send()).await.expect("an answer"), "unauthorized", "")
        .await;
}

/// Each subject has idempotency keys of its own, which its next token has too; publishers without a subject share theirs.
pub async fn each_subject_has_idempotency_keys_of_its_own<S: Service>() {
    let server = S::start(&CLOSED).await;
    let publish = async |subject: Value, text: &str, exp: f64| {
        let token = token_with(json!({ "sub": subject, "exp": token::now() + exp }));
        let request = posting(server.address(), "a.b", text).header("idempotency-key", "k").bearer_auth(token);
        soon(request.send()).await.expect("an answer").status().as_u16()
    };
    let bob = || json!("bob");
    assert_eq!(publish(json!("mallory"), "in your place", 60.0).await, 201);
    assert_eq!(publish(bob(), "m", 60.0).await, 201, "a key that another subject has used");
    assert_eq!(publish(bob(), "m", 61.0).await, 200, "a repeat, with another token");
    assert_eq!(publish(bob(), "another", 61.0).await, 422);
    assert_eq!(publish(json!(null), "m", 60.0).await, 201, "a key that subjects have used");
    assert_eq!(publish(json!(null), "m", 61.0).await, 200);
}

/// Asks for a ticket as a page of an origin.
async fn ticket(server: &Server, origin: Option<&str>) -> String {
    let mut request = client().post(server.url("/ticket")).bearer_auth(token_with(json!({})));
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    let answer = soon(request.send()).await.expect("an answer");
    assert_eq!(
        (answer.status(), &answer.headers()["cache-control"]),
        (StatusCode::CREATED, &"no-store".parse().expect("a value"))
    );
    let answer: Value = soon(answer.json()).await.expect("JSON");
    answer["ticket"].as_str().expect("a ticket").to_owned()
}

/// A ticket stands for its token, for the origin that asked, on every service with the same secret.
pub async fn a_ticket_stands_for_a_token<S: Service>() {
    let server = S::start(&CLOSED).await;
    let publishing = posting(server.address(), "a.b", "confidential").bearer_auth(token_with(json!({})));
    assert_answer(soon(publishing.send()).await.expect("an answer"), "", "publishing").await;
    let other = S::start(&CLOSED).await;
    let page = Some("https://page.example");
    let own = format!("http://{}", server.address());
    let follow = async |server: &Server, ticket: &str, origin: Option<&str>, topic: &str| {
        let query = format!("topic={topic}&since=earliest&ticket={ticket}");
        let mut request = S::request(server.address(), &query);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        soon(request.send()).await.expect("an answer")
    };
    let [of_page, of_own, of_nobody] = [page, Some(&own), None];
    for (asked, redeemed, error) in [
        (of_page, of_page, ""),
        (of_page, Some("https://other.example"), "unauthorized"),
        (of_page, None, "unauthorized"),
        (of_own, of_own, ""),
        (of_own, None, ""),
        (of_own, of_page, "unauthorized"),
        (of_nobody, None, ""),
        (of_nobody, of_page, "unauthorized"),
    ] {
        let what = format!("a ticket of {asked:?} from {redeemed:?}");
        let ticket = ticket(&server, asked).await;
        assert_answer(follow(&server, &ticket, redeemed, "a.b").await, error, &what).await;
    }
    let ticket = ticket(&server, page).await;
    assert_answer(follow(&server, &ticket, page, "%3E").await, "forbidden", "more than the token").await;
    assert_answer(follow(&server, &token_with(json!({})), page, "a.b").await, "unauthorized", "a token in the URL")
        .await;
    let history = client()
        .get(other.url(&format!("/messages?topic=a.b&ticket={ticket}")))
        .header("origin", "https://page.example");
    assert_answer(soon(history.send()).await.expect("an answer"), "", "another service with the secret").await;
    let publishing =
        posting(server.address(), &format!("a.b&ticket={ticket}"), "m").header("origin", "https://page.example");
    assert_answer(soon(publishing.send()).await.expect("an answer"), "", "publishing by a ticket").await;
    let again = client().post(server.url(&format!("/ticket?ticket={ticket}")));
    assert_eq!(soon(again.send()).await.expect("an answer").status(), 400, "the route has no parameters");

    let separate =
        S::start(&[&CLOSED[..], &["--ticket-secret", "another secret of more than 32 bytes, of tickets"]].concat())
            .await;
    assert_answer(follow(&separate, &ticket, page, "a.b").await, "unauthorized", "another secret of tickets").await;
}

/// The cookie counts for the pages of the service, for those of an origin that is named, and for no page.
pub async fn a_cookie_counts_for_pages_that_are_trusted<S: Service>() {
    let named =
        S::start(&[&CLOSED[..], &["--allow-origin", "*", "--allow-origin", "https://page.example"]].concat()).await;
    let address = named.address();
    let publishing = posting(address, "a.b", "confidential").bearer_auth(token_with(json!({})));
    assert_answer(soon(publishing.send()).await.expect("an answer"), "", "publishing").await;
    let own = format!("http://{address}");
    let cookie = format!("a=b; push_token={}; c=d", token_with(json!({})));
    for (headers, error) in [
        (&[][..], ""),
        (&[("origin", own.as_str())], ""),
        (&[("origin", "https://page.example")], ""),
        (&[("origin", "https://evil.example")], "unauthorized"),
        (&[("origin", "null")], "unauthorized"),
        (&[("sec-fetch-site", "cross-site")], "unauthorized"),
        (&[("sec-fetch-site", "same-site")], "unauthorized"),
        (&[("sec-fetch-site", "same-origin")], ""),
        (&[("sec-fetch-site", "none")], ""),
    ] {
        let request = S::request(address, "topic=a.b&since=earliest").header("cookie", &cookie);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = soon(request.send()).await.expect("an answer");
        if headers == [("origin", "https://page.example")] {
            let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().expect("text").to_owned());
            assert_eq!(header("access-control-allow-origin").as_deref(), Some("https://page.example"));
            assert_eq!(header("access-control-allow-credentials").as_deref(), Some("true"));
            assert_eq!(header("vary").as_deref(), Some("origin"));
        }
        assert_answer(answer, error, &format!("{headers:?}")).await;
    }
    let forged = posting(address, "a.b", "forged").header("cookie", &cookie).header("origin", "https://evil.example");
    assert_answer(soon(forged.send()).await.expect("an answer"), "unauthorized", "a form of another page").await;
}

/// The log says why a client is not let in, and has neither token nor ticket at any level.
pub async fn the_log_has_the_reason_and_no_token<S: Service>() {
    let secret = ("PUSH_JWT_SECRET", SECRET);
    let flags = ["--listen", "127.0.0.1:0", "--log-format", "json", "--tick", "0", "--log", "trace", "--drain", "0"];
    let mut process = Process::start_with(S::PROGRAM.path, &flags, &[secret]);
    let address: SocketAddr = process.logged("listening", "address").await.parse().expect("an address");
    let expired = token_with(json!({ "exp": token::now() - 100.0 }));
    let good = token_with(json!({ "exp": token::now() + 31.0 }));
    let url = |path: &str| format!("http://{address}{path}");
    for (token, topic, status) in [(&expired, "a.b", 401), (&good, "c", 403), (&good, "a.b", 201)] {
        let answer = soon(posting(address, topic, "m").bearer_auth(token).send()).await.expect("an answer");
        assert_eq!(answer.status(), status);
    }
    let answer = soon(client().post(url("/ticket")).bearer_auth(&good).send()).await.expect("an answer");
    let answer: Value = soon(answer.json()).await.expect("JSON");
    let ticket = answer["ticket"].as_str().expect("a ticket").to_owned();
    for path in [format!("/messages?topic=a.b&ticket={ticket}"), format!("/messages?topic=a.b&ticket={good}")] {
        soon(client().get(url(&path)).send()).await.expect("an answer");
    }
    let followed = S::request(address, &format!("topic=a.b&since=earliest&ticket={ticket}"));
    assert!(soon(followed.send()).await.expect("an answer").status() != 401);
    soon(client().get(url("/messages?topic=a.b")).header("cookie", format!("push_token={good}")).send())
        .await
        .expect("an answer");
    crate::signal(&process, crate::Signal::SIGTERM);
    let exit = process.ended().await;
    let log = format!("{}{}", exit.stdout, exit.stderr);
    for reason in [
        "it has expired (exp)",
        "its token's claim `publish` does not cover",
        "the ticket is not one of --ticket-secret",
    ] {
        assert!(log.contains(reason), "{reason}: {log}");
    }
    assert!(log.contains("127.0.0.1"), "the client's address: {log}");
    for (name, text) in [("a token", &good), ("an expired token", &expired), ("a ticket", &ticket)] {
        let (_, signature) = text.rsplit_once('.').expect("it is signed");
        assert!(!log.contains(signature), "{name}");
    }
    assert!(!log.contains(SECRET), "the secret");
}

/// The same over TLS and HTTP/2, whose libraries log by themselves.
pub async fn the_log_of_http_2_has_no_token<S: Service>() {
    let identity = Identity::new();
    let [cert, key] = identity.flags();
    let flags = ["--listen=127.0.0.1:0", "--log-format=json", "--tick=0", "--log=trace", "--drain=0", &cert, &key];
    let mut process = Process::start_with(S::PROGRAM.path, &flags, &[("PUSH_JWT_SECRET", SECRET)]);
    let address = process.logged("listening", "address").await;
    let (client, token) = (identity.http2_client(), token_with(json!({})));
    let url = |path: &str| format!("https://{address}{path}");
    let asking = client.post(url("/ticket")).bearer_auth(&token);
    let answer = soon(asking.send()).await.expect("an answer");
    assert_eq!((answer.status(), answer.version()), (StatusCode::CREATED, Version::HTTP_2));
    let answer: Value = soon(answer.json()).await.expect("JSON");
    let ticket = answer["ticket"].as_str().expect("a ticket").to_owned();
    for request in [
        client.get(url(&format!("/messages?topic=a.b&ticket={ticket}"))),
        client.get(url("/messages?topic=a.b")).header("cookie", format!("push_token={token}")),
        client.get(url("/messages?topic=c")).bearer_auth(&token),
    ] {
        soon(request.send()).await.expect("an answer");
    }
    crate::signal(&process, crate::Signal::SIGTERM);
    let log = process.ended().await.stderr;
    assert!(log.contains("does not cover"), "{log}");
    for (name, text) in [("a token", &token), ("a ticket", &ticket)] {
        for part in text.split('.').filter(|part| part.len() > 40) {
            assert!(!log.contains(part), "{name}");
        }
    }
}

/// An open service says so at start, takes everybody, and has no tickets.
pub async fn an_open_service_says_so<S: Service>() {
    let (mut process, address) = S::PROGRAM.start(&["--drain", "0"]).await;
    process.line_with("open: whoever reaches this service may publish and subscribe").await;
    let answer = soon(client().post(format!("http://{address}/ticket")).send()).await.expect("an answer");
    crate::assert_refused(answer, 404, "no_tickets").await;
    let answer = soon(posting(address, "a&ticket=whatever", "m").send()).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::CREATED);
    let (mut process, _) = S::PROGRAM.start(&["--drain", "0", "--jwt-secret", SECRET]).await;
    process.line_with("closed: publishing and subscribing need a token").await;
}

/// Makes the tests of access that are the same for every service: `access_behaviours!(Sse)`.
#[macro_export]
macro_rules! access_behaviours {
    ($service:ty) => {
        $crate::behaviours!($service:
            access::a_token_gives_what_its_claims_say,
            access::anonymous_clients_follow_the_topics_that_are_for_everybody,
            access::each_subject_has_idempotency_keys_of_its_own,
            access::a_ticket_stands_for_a_token,
            access::a_cookie_counts_for_pages_that_are_trusted,
            access::the_log_has_the_reason_and_no_token,
            keys::the_log_has_the_beginning_of_the_name_of_an_unknown_key,
            access::the_log_of_http_2_has_no_token,
            keys::keys_that_cannot_be_used_are_refused,
            keys::keys_are_read_again_on_sighup,
            access::an_open_service_says_so,
        );
    };
}
