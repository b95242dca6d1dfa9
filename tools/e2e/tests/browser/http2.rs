//! A page of a service that speaks HTTP/2.

use anyhow::Result;
use e2e::browser::Browser;
use e2e::service::{Method, Service};
use serde_json::json;
use testkit::tls::Identity;

/// Over HTTP/1.1 a browser opens six connections to a service, and each stream takes one.
#[tokio::test]
async fn a_page_holds_twenty_streams_on_one_connection() -> Result<()> {
    let identity = Identity::new();
    let [cert, key] = identity.flags();
    let service = Service::started(Method::Sse, &[&cert, &key]).await?;
    let url = |path: &str| service.url(path).replace("http://", "https://");
    let browser = Browser::start("en").await?;
    browser.open(&url("/livez")).await?;
    browser
        .run(
            "window.pages = Array.from({ length: 20 }, () => {
                const source = new EventSource('/events');
                const page = { source, got: [] };
                source.onmessage = ({ data }) => page.got.push(data);
                return page;
            });",
        )
        .await?;
    browser.until("pages.every(({ source }) => source.readyState === EventSource.OPEN)").await?;
    browser.run("fetch('/messages', { method: 'POST', body: 'to all' })").await?;
    browser.until("pages.every(({ got }) => got.includes('to all'))").await?;
    let protocols = "performance.getEntriesByType('resource').map(entry => entry.nextHopProtocol)";
    browser.until(&format!("{protocols}.length > 0")).await?;
    assert_eq!(browser.value(&format!("[...new Set({protocols})]")).await?, json!(["h2"]));

    // The service's own page, with everything that it loads.
    browser.open(&url("/")).await?;
    browser.until_state(crate::STATE, "open").await?;
    let publication = identity.http2_client().post(url("/messages")).body("over TLS");
    publication.send().await?.error_for_status()?;
    browser.until_row(crate::LIST, "over TLS").await?;
    Ok(())
}

/// A browser that has a connection of HTTP/2 opens its WebSockets on it (RFC 8441). The service takes no second one.
#[tokio::test]
async fn a_websocket_is_on_the_connection_of_its_page() -> Result<()> {
    let identity = Identity::new();
    let [cert, key] = identity.flags();
    let service = Service::started(Method::Ws, &[&cert, &key, "--max-connections=1"]).await?;
    let browser = Browser::start("en").await?;
    browser.open(&service.url("/").replace("http://", "https://")).await?;
    browser.until_state(crate::STATE, "open").await?;
    browser.fill("#publish-text", "by a WebSocket").await?;
    browser.click("#publish-send").await?;
    browser.until_row(crate::LIST, "by a WebSocket").await?;
    browser.fill("#echo-text", "over HTTP/2").await?;
    browser.click("#echo-send").await?;
    browser.until("document.body.innerText.includes('服务器回应：over HTTP/2')").await?;
    Ok(())
}
