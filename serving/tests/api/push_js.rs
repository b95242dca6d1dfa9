//! push.js, the client library.

use crate::service::Service;

#[tokio::test]
async fn push_js_is_a_module_that_pages_of_any_origin_may_import() {
    let service = Service::start(&[]).await;
    let answer = service
        .raw("GET /push.js HTTP/1.1\r\nhost: test\r\norigin: https://a.example\r\nconnection: close\r\n\r\n")
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert!(answer.body.ends_with("export{PushError,publish,subscribe};\n"), "{}", answer.body);
    // It is one file: nothing else has to be loaded.
    assert!(!answer.body.contains("import ") && !answer.body.contains("/*") && !answer.body.contains("\n//"));
    assert_eq!(answer.body.matches("export").count(), 1);
}

#[tokio::test]
async fn push_js_is_asked_for_again_and_sent_when_it_has_changed() {
    let service = Service::start(&[]).await;
    let answer = service.get("/push.js").await;
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    let tag = answer.header("etag").unwrap().to_owned();
    for (tags, status) in
        [(tag.clone(), 304), (format!("\"other\", W/{tag}"), 304), ("\"other\"".to_owned(), 200), (String::new(), 200)]
    {
        let request =
            format!("GET /push.js HTTP/1.1\r\nhost: test\r\nif-none-match: {tags}\r\nconnection: close\r\n\r\n");
        let answer = service.raw(request).await;
        assert_eq!((answer.status, answer.header("etag")), (status, Some(&*tag)), "{tags}");
        assert_eq!(answer.body.is_empty(), status == 304);
    }
}

#[tokio::test]
async fn push_js_has_a_name_of_its_content_that_may_be_kept() {
    let service = Service::start(&[]).await;
    let newest = service.get("/push.js").await;
    let name = newest.header("content-location").unwrap();
    assert!(name.starts_with("/push-") && name.ends_with(".js"), "{name}");
    let kept = service.get(name).await;
    assert_eq!((kept.status, &kept.body), (200, &newest.body));
    assert_eq!(kept.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(kept.header("content-type"), newest.header("content-type"));
    service.get("/push-another.js").await.assert_error(404, "not_found", "path");
}
