//! The pages for people, and what a browser may do with them.

use serde_json::json;

use crate::service::Service;

/// The sources of a directive of the answer's policy.
async fn policy(service: &Service, path: &str, host: &str, directive: &str) -> Vec<String> {
    let answer = service.raw(format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let policy = answer.header("content-security-policy").unwrap().to_owned();
    let mut directives = policy.split(';').map(|directive| directive.split_whitespace());
    let found =
        directives.find_map(|mut words| (words.next() == Some(directive)).then(|| words.map(str::to_owned).collect()));
    found.unwrap_or_else(|| panic!("no {directive} in {policy}"))
}

#[tokio::test]
async fn every_file_of_the_page_is_there_with_its_type() {
    let service = Service::start(&[]).await;
    for (path, content_type) in [
        ("/compare", "text/html; charset=utf-8"),
        ("/assets/style.css", "text/css; charset=utf-8"),
        ("/assets/compare.js", "text/javascript; charset=utf-8"),
        ("/assets/icon.svg", "image/svg+xml"),
        ("/assets/peers.json", "application/json"),
    ] {
        let answer = service.get(path).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(content_type)), "{path}");
        assert!(!answer.body.is_empty());
    }
    assert_eq!(service.get("/compare?topic=a").await.status, 200);
    for path in ["/", "/assets/", "/assets/nothing.js", "/assets/../compare.html", "/compare/", "/assets/index.js"] {
        service.get(path).await.assert_error(404, "not_found", "path");
    }
}

#[tokio::test]
async fn a_file_is_asked_for_again_and_sent_when_it_has_changed() {
    let service = Service::start(&[]).await;
    for path in ["/compare", "/assets/page.js", "/assets/style.css"] {
        let whole = service.get(path).await;
        assert_eq!(whole.header("cache-control"), Some("no-cache"), "{path}");
        let tag = whole.header("etag").unwrap();
        for (tags, status) in [(tag, 304), ("*", 304), ("\"other\"", 200)] {
            let request =
                format!("GET {path} HTTP/1.1\r\nhost: test\r\nif-none-match: {tags}\r\nconnection: close\r\n\r\n");
            let answer = service.raw(request).await;
            assert_eq!((answer.status, answer.header("etag")), (status, Some(tag)), "{path}: {tags}");
            assert_eq!(answer.body.is_empty(), status == 304, "{path}: {tags}");
            // Its policy may be another one than that of the answer that is kept.
            assert!(answer.header("content-security-policy").is_some(), "{path}: {tags}");
        }
    }
    let [page, script] = [service.get("/compare").await, service.get("/assets/page.js").await];
    assert_ne!(page.header("etag"), script.header("etag"));
}

#[tokio::test]
async fn every_file_that_the_page_refers_to_is_there() {
    let service = Service::start(&[]).await;
    let (mut wanted, mut checked) = (vec!["/compare".to_owned()], Vec::new());
    while let Some(path) = wanted.pop() {
        let answer = service.get(&path).await;
        assert_eq!(answer.status, 200, "{path}");
        for quoted in answer.body.split('"').skip(1).step_by(2) {
            let path = match quoted {
                _ if quoted.starts_with("assets/") => format!("/{quoted}"),
                "../push.js" => "/push.js".to_owned(),
                _ if quoted.starts_with("./") && quoted.ends_with(".js") => format!("/assets/{}", &quoted[2..]),
                _ => continue,
            };
            if !checked.contains(&path) {
                checked.push(path.clone());
                wanted.push(path);
            }
        }
    }
    assert!(checked.len() > 4 && checked.contains(&"/push.js".to_owned()), "{checked:?}");
}

#[tokio::test]
async fn the_policy_lets_nothing_in_but_the_services_own_files() {
    let service = Service::start(&[]).await;
    for path in ["/compare", "/assets/style.css", "/assets/page.js", "/assets/icon.svg"] {
        let answer = service.get(path).await;
        let policy = answer.header("content-security-policy").unwrap();
        assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("data:"), "{policy}");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("base-uri 'none'"), "{policy}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert!(answer.header("cache-control").is_some(), "a new version has new files under the same names");
    }
    let body = service.get("/compare").await.body;
    assert!(!body.contains("<style") && !body.contains("style=") && !body.contains("onclick"), "nothing inline");
    assert_eq!(body.matches("<script").count(), body.matches(" src=\"assets/").count() - body.matches("<img").count());
}

#[tokio::test]
async fn the_three_services_are_on_the_requested_host_by_default() {
    let service = Service::start(&[]).await;
    for (host, name) in
        [("push.example:8080", "push.example"), ("10.0.0.1", "10.0.0.1"), ("[::1]:9", "[::1]"), ("[::1]", "[::1]")]
    {
        let peers =
            service.raw(format!("GET /assets/peers.json HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")).await;
        let expected = json!({ "ws": format!("http://{name}:8080"), "poll": format!("http://{name}:3000"), "sse": format!("http://{name}:3001") });
        assert_eq!(peers.json(), expected);
        let connect = policy(&service, "/compare", host, "connect-src").await;
        for source in [
            format!("ws://{name}:8080"),
            format!("http://{name}:8080"),
            format!("http://{name}:3000"),
            format!("http://{name}:3001"),
        ] {
            assert!(connect.contains(&source), "{source} is not in {connect:?}");
        }
    }
}

#[tokio::test]
async fn flags_set_the_urls_of_the_three_services() {
    let flags = [
        "--peer-ws",
        "https://ws.example/",
        "--peer-poll",
        "http://poll.example:81",
        "--peer-sse",
        "https://sse.example",
    ];
    let service = Service::start(&flags).await;
    let expected =
        json!({ "ws": "https://ws.example", "poll": "http://poll.example:81", "sse": "https://sse.example" });
    assert_eq!(service.get("/assets/peers.json").await.json(), expected);
    let connect = policy(&service, "/compare", "test", "connect-src").await;
    assert_eq!(
        connect,
        ["'self'", "https://ws.example", "wss://ws.example", "http://poll.example:81", "https://sse.example"]
    );
}

#[tokio::test]
async fn a_hostile_host_header_changes_no_policy() {
    let service = Service::start(&[]).await;
    for host in
        ["a;script-src *", "a 'unsafe-inline'", "a, default-src *", "a\"b", "*", "*.evil", "a\tb", "a'", "\u{e4}"]
    {
        for (path, expected) in [("/compare", Some("http://localhost:8080")), ("/assets/style.css", None)] {
            let answer = service.raw(format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")).await;
            // A text that is no host at all may be refused before.
            if answer.status == 400 {
                continue;
            }
            let policy = answer.header("content-security-policy").unwrap().to_owned();
            assert_eq!(policy.split(';').count(), 8, "{policy}");
            assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("evil"), "{policy}");
            assert!(expected.is_none_or(|source| policy.contains(source)), "{policy}");
        }
    }
    let without = service.raw("GET /compare HTTP/1.0\r\n\r\n").await;
    assert!(without.header("content-security-policy").unwrap().contains("http://localhost:8080"));
    service.assert_serving().await;
}
