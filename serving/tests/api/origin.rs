//! Pages of other origins.

use crate::answer::Answer;
use crate::service::Service;

const PAGE: &str = "origin: https://page.example\r\n";

fn preflight(origin: &str, method: &str) -> String {
    format!(
        "origin: {origin}\r\naccess-control-request-method: {method}\r\naccess-control-request-headers: content-type\r\n"
    )
}

fn allowed(answer: &Answer) -> Option<&str> {
    answer.header("access-control-allow-origin")
}

#[tokio::test]
async fn any_page_may_use_the_service_and_read_its_answers() {
    let service = Service::start(&[]).await;
    service.ask("GET /nothing", PAGE).await.assert_error(404, "not_found", "path");
    for request in
        ["GET /messages", "GET /livez", "GET /nothing", "PUT /messages", "GET /messages?limit=0", "GET /compare"]
    {
        let answer = service.ask(request, PAGE).await;
        assert_eq!(allowed(&answer), Some("*"), "{request}");
        assert_eq!(answer.header("access-control-expose-headers"), Some("*"), "{request}");
    }
    let refused = service.ask_post(PAGE, b"\xff").await;
    refused.assert_error(400, "invalid_utf8", "UTF-8");
    assert_eq!(allowed(&refused), Some("*"));
    assert_eq!(allowed(&service.ask_post(PAGE, b"x").await), Some("*"));
    assert_eq!(allowed(&service.ask("GET /livez", "origin: null\r\n").await), Some("*"));
    assert_eq!(allowed(&service.ask("GET /livez", "").await), None, "it was not a page that asked");
}

#[tokio::test]
async fn a_preflight_is_answered_for_a_while() {
    let service = Service::start(&[]).await;
    let answer = service.ask("OPTIONS /messages", &preflight("https://page.example", "POST")).await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    assert_eq!(allowed(&answer), Some("*"));
    assert!(answer.header("access-control-max-age").unwrap().parse::<u32>().unwrap() > 0);
    assert!(answer.header("access-control-allow-methods").unwrap().contains("POST"));
    let headers = answer.header("access-control-allow-headers").unwrap();
    for header in ["content-type", "idempotency-key", "last-event-id"] {
        assert!(headers.contains(header), "{headers}");
    }
    assert_eq!(answer.header("content-length"), None, "RFC 9110, section 8.6");
}

#[tokio::test]
async fn where_origins_are_listed_no_other_page_gets_in() {
    let flags =
        ["--allow-origin", "https://one.example,https://two.example", "--allow-origin", "http://localhost:5173"];
    let service = Service::start(&flags).await;
    for origin in ["https://one.example", "https://two.example", "http://localhost:5173"] {
        let answer = service.ask("GET /messages", &format!("origin: {origin}\r\n")).await;
        assert_eq!((answer.status, allowed(&answer)), (200, Some(origin)));
        assert_eq!(answer.header("vary").map(str::to_lowercase), Some("origin".to_owned()));
        let answer = service.ask("OPTIONS /messages", &preflight(origin, "POST")).await;
        assert_eq!((answer.status, allowed(&answer)), (204, Some(origin)));
    }
    for origin in [
        "https://page.example",
        "https://one.example.evil",
        "http://one.example",
        "https://one.example:444",
        "null",
        "",
        "*",
    ] {
        let answer = service.ask("GET /messages", &format!("origin: {origin}\r\n")).await;
        answer.assert_error(403, "origin_not_allowed", "--allow-origin");
        assert_eq!(allowed(&answer), None);
        let answer = service.ask_post(&format!("origin: {origin}\r\n"), b"x").await;
        answer.assert_error(403, "origin_not_allowed", "--allow-origin");
        let answer = service.ask("OPTIONS /messages", &preflight(origin, "POST")).await;
        answer.assert_error(403, "origin_not_allowed", "--allow-origin");
    }
    assert!(service.held("main").is_empty());
    assert_eq!(service.ask_post("", b"x").await.status, 201, "programs that are no pages have no origin");
}

/// A page is answered with the headers that it asks for, whichever they are: EventSource libraries send `Cache-Control`, tracing
/// libraries their own.
#[tokio::test]
async fn a_preflight_is_answered_with_the_headers_it_asks_for() {
    let service = Service::start(&[]).await;
    let ask = async |headers: &str| {
        let preflight = format!("origin: https://page.example\r\naccess-control-request-method: GET\r\n{headers}");
        service.ask("OPTIONS /messages", &preflight).await
    };
    let answer = ask(
        "access-control-request-headers: cache-control,Last-Event-ID,\tx-a\r\naccess-control-request-headers: ,x-b\r\n",
    )
    .await;
    let allowed: Vec<_> = answer.header("access-control-allow-headers").unwrap().split(", ").collect();
    for header in ["cache-control", "x-a", "x-b", "last-event-id", "authorization"] {
        assert_eq!(
            allowed.iter().filter(|allowed| allowed.eq_ignore_ascii_case(header)).count(),
            1,
            "{header}: {allowed:?}"
        );
    }
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET, HEAD, POST"));
    let answer = ask("access-control-request-headers: good, b ad, (, \u{e9}\r\n").await;
    assert_eq!(answer.status, 204);
    assert!(!answer.header("access-control-allow-headers").unwrap().contains('('));
}

/// The pages of the service are of its own origin, whatever `--allow-origin` names, and under whichever name and scheme it is
/// reached.
#[tokio::test]
async fn the_own_origin_is_always_allowed() {
    let service = Service::start(&["--allow-origin", "https://page.example"]).await;
    let ask = async |request: &str, host: &str, origin: &str| {
        let head = format!("{request} HTTP/1.1\r\nhost: {host}\r\norigin: {origin}\r\nconnection: close\r\n");
        service.raw(format!("{head}content-length: 0\r\n\r\n")).await
    };
    for (host, origin) in [
        ("push.example:3001", "http://push.example:3001"),
        ("push.example", "https://push.example"),
        ("Push.Example", "http://push.example"),
        ("push.example:443", "https://push.example"),
        ("[::1]:3001", "http://[::1]:3001"),
    ] {
        let answer = ask("GET /messages", host, origin).await;
        assert_eq!((answer.status, allowed(&answer)), (200, None), "{origin} at {host}");
        ask("POST /messages", host, origin).await.assert_error(400, "no_text", "text");
    }
    for (host, origin) in [
        ("push.example", "http://push.example:3001"),
        ("push.example:80", "https://push.example"),
        ("push.example", "https://evil.push.example"),
        ("push.example", "ftp://push.example"),
        ("null", "null"),
    ] {
        ask("GET /messages", host, origin).await.assert_error(403, "origin_not_allowed", "--allow-origin");
    }
}
