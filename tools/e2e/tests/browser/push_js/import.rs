//! The file itself, as the services serve it.

use anyhow::Result;
use e2e::browser::Browser;
use e2e::service::{Method, Service};
use serde_json::json;

use super::{follow, open, open_at, until_text};

#[tokio::test]
async fn a_page_of_another_origin_imports_push_js() -> Result<()> {
    let (service, page) = (Service::started(Method::Ws, &[]).await?, Service::started(Method::Poll, &[]).await?);
    let browser = Browser::start("en").await?;
    open(&browser, &page.url("/livez"), &service.url("/push.js")).await?;
    follow(&browser, &format!("{{ ws: '{}' }}", service.url(""))).await?;
    service.publish("across origins").await?;
    assert_eq!(until_text(&browser, "across origins").await?, ["across origins"]);
    Ok(())
}

#[tokio::test]
async fn push_js_has_at_most_6_kilobytes_compressed() -> Result<()> {
    let service = Service::started(Method::Sse, &[]).await?;
    let browser = Browser::start("en").await?;
    browser.open(&service.url("/livez")).await?;
    let compressed = "fetch('/push.js')
        .then(({ body }) => new Response(body.pipeThrough(new CompressionStream('gzip'))).arrayBuffer())
        .then(({ byteLength }) => byteLength)";
    let bytes = browser.value(compressed).await?;
    assert!(bytes.as_u64().is_some_and(|bytes| (1000..=6 * 1024).contains(&bytes)), "{bytes}");
    Ok(())
}

#[tokio::test]
async fn push_js_exports_what_its_types_say() -> Result<()> {
    let service = Service::started(Method::Sse, &[]).await?;
    let browser = Browser::start("en").await?;
    open_at(&browser, &service).await?;
    assert_eq!(browser.value("Object.keys(push).sort()").await?, json!(["PushError", "publish", "subscribe"]));
    for options in ["{}", "{ sse: 'http://[' }"] {
        let thrown =
            format!("(() => {{ try {{ push.subscribe({options}) }} catch (error) {{ return error.name }} }})()");
        assert_eq!(browser.value(&thrown).await?, "TypeError", "{options}");
    }
    Ok(())
}
