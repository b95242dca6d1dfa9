//! Pages that use the browser's own `EventSource` and nothing more: whatever happens to the service, they end connected.

use e2e::browser::Browser;
use e2e::service::{Method, Service};
use replicas::NatsServer;
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// The number of pages. A browser opens six connections per host, so they have two names for it.
const PAGES: usize = 12;

/// Opens the streams of all pages in one, and follows what each of them is given.
async fn open_pages(browser: &Browser, service: &Service) -> anyhow::Result<()> {
    browser.open(&service.url("/livez")).await?;
    let port = service.address().port();
    browser
        .run(&format!(
            "window.pages = Array.from({{ length: {PAGES} }}, (_, index) => {{
                const host = index % 2 ? 'localhost' : '127.0.0.1';
                const source = new EventSource(`http://${{host}}:{port}/events`);
                const page = {{ source, got: [], failures: 0 }};
                source.onmessage = ({{ data }}) => page.got.push(data);
                source.addEventListener('gap', () => page.got.push('gap'));
                source.onerror = () => page.failures += 1;
                return page;
            }});"
        ))
        .await
}

/// Waits until each page has been given a text.
async fn until_given(browser: &Browser, text: &str) -> anyhow::Result<()> {
    browser.until(&format!("pages.every(({{ got }}) => got.includes({text:?}))")).await?;
    Ok(())
}

/// Waits until each page has failed, and fails if one has given up.
async fn until_failed(browser: &Browser) -> anyhow::Result<()> {
    browser.until("pages.every(({ failures }) => failures > 0)").await?;
    assert_eq!(states(browser).await?["closed"], 0);
    Ok(())
}

async fn states(browser: &Browser) -> anyhow::Result<Value> {
    browser
        .value(
            "Object.fromEntries(['connecting', 'open', 'closed'].map((name, state) =>
                [name, pages.filter(({ source }) => source.readyState === state).length]))",
        )
        .await
}

/// Waits until every page is open, and has received a text that is published then.
async fn until_all_are_open(browser: &Browser, service: &Service) -> anyhow::Result<()> {
    let open = browser.until("pages.every(({ source }) => source.readyState === EventSource.OPEN)");
    anyhow::Context::with_context(open.await, || "not every page is open")?;
    assert_eq!(states(browser).await?, json!({ "connecting": 0, "open": PAGES, "closed": 0 }));
    service.publish("the last").await?;
    until_given(browser, "the last").await
}

async fn got(browser: &Browser) -> anyhow::Result<Vec<Vec<String>>> {
    Ok(serde_json::from_value(browser.value("pages.map(({ got }) => got)").await?)?)
}

#[tokio::test]
async fn a_restart_with_a_drain_closes_no_page_for_good() -> anyhow::Result<()> {
    // Longer than the pause of a client that was released: many come back to the service that is still draining.
    let mut service = Service::started(Method::Sse, &["--drain=5s"]).await?;
    let browser = Browser::start("en").await?;
    open_pages(&browser, &service).await?;
    browser.until("pages.every(({ source }) => source.readyState === EventSource.OPEN)").await?;
    service.publish("before").await?;
    until_given(&browser, "before").await?;

    service.stop().await?;
    until_failed(&browser).await?;
    service.start(&[]).await?;
    service.publish("meanwhile").await?;
    until_all_are_open(&browser, &service).await?;
    for got in got(&browser).await? {
        assert_eq!(got, ["before", "gap", "meanwhile", "the last"], "the history is another one");
    }
    Ok(())
}

#[tokio::test]
async fn a_service_that_is_full_closes_no_page_for_good() -> anyhow::Result<()> {
    let limit = PAGES + 2;
    let service = Service::started(Method::Sse, &[&format!("--max-connections={limit}")]).await?;
    let browser = Browser::start("en").await?;
    // Whoever asks for nothing has a place for --read-timeout, which is longer than the pages take to be turned away.
    let mut held = Vec::new();
    for _ in 0..limit {
        held.push(TcpStream::connect(service.address()).await?);
    }
    open_pages(&browser, &service).await?;
    until_failed(&browser).await?;
    drop(held);
    until_all_are_open(&browser, &service).await?;
    for got in got(&browser).await? {
        assert_eq!(got, ["the last"]);
    }
    Ok(())
}

#[tokio::test]
async fn a_service_without_its_history_closes_no_page_for_good() -> anyhow::Result<()> {
    let mut nats = NatsServer::start().await;
    nats.kill();
    let url = format!("--nats={}", nats.url());
    let service = Service::started(Method::Sse, &[&url]).await?;
    let browser = Browser::start("en").await?;
    open_pages(&browser, &service).await?;
    until_failed(&browser).await?;
    nats.run().await;
    until_all_are_open(&browser, &service).await?;
    for got in got(&browser).await? {
        assert_eq!(got, ["the last"]);
    }
    Ok(())
}
