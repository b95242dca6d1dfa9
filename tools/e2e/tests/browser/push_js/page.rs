//! The page's life.

use anyhow::Result;
use e2e::browser::Browser;
use e2e::proxy::Proxy;
use e2e::service::{Method, Service};

use super::{follow, open_at, until_text};

#[tokio::test]
async fn a_page_that_is_online_again_comes_back_at_once() -> Result<()> {
    let browser = Browser::start("en").await?;
    for method in Method::ALL {
        let service = Service::started(method, &[]).await?;
        let proxy = Proxy::start(service.address()).await?;
        open_at(&browser, &service).await?;
        follow(&browser, &format!("{{ {}: '{}' }}", method.name(), proxy.url(""))).await?;
        // The next attempt by itself would be later than any test waits.
        browser.run("Math.random = () => 10000").await?;
        proxy.cut();
        browser.until("seen.one.states.includes('waiting')").await?;
        service.publish("meanwhile").await?;
        proxy.mend();
        browser.run("dispatchEvent(new Event('online'))").await?;
        assert_eq!(until_text(&browser, "meanwhile").await?, ["meanwhile"], "{method:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_page_that_is_shown_again_comes_back_at_once() -> Result<()> {
    let service = Service::started(Method::Ws, &[]).await?;
    let proxy = Proxy::start(service.address()).await?;
    let browser = Browser::start("en").await?;
    open_at(&browser, &service).await?;
    follow(&browser, &format!("{{ ws: '{}' }}", proxy.url(""))).await?;
    browser.run("Math.random = () => 10000").await?;
    proxy.cut();
    browser.until("seen.one.states.includes('waiting')").await?;
    proxy.mend();
    browser.run("document.dispatchEvent(new Event('visibilitychange'))").await?;
    browser.until("seen.one.state === 'open'").await?;
    Ok(())
}

/// A machine that was asleep: its clock has moved on, and nothing was heard meanwhile.
#[tokio::test]
async fn a_connection_that_slept_is_made_anew() -> Result<()> {
    let service = Service::started(Method::Ws, &[]).await?;
    let proxy = Proxy::start(service.address()).await?;
    let browser = Browser::start("en").await?;
    open_at(&browser, &service).await?;
    follow(&browser, &format!("{{ ws: '{}' }}", proxy.url(""))).await?;
    browser
        .run("const now = Date.now; Date.now = () => now() + 3600000; document.dispatchEvent(new Event('resume'))")
        .await?;
    browser.until("seen.one.methods.length === 2").await?;
    assert_eq!(proxy.requests("GET /feed"), 2);
    Ok(())
}

/// A page is left and comes back from the back/forward cache, with its scripts as they were.
async fn comes_back_from_the_cache(method: Method) -> Result<()> {
    let service = Service::started(method, &[]).await?;
    let proxy = Proxy::start(service.address()).await?;
    let elsewhere = Service::started(Method::Poll, &[]).await?;
    let browser = Browser::start("en").await?;
    open_at(&browser, &service).await?;
    follow(&browser, &format!("{{ {}: '{}', share: true }}", method.name(), proxy.url(""))).await?;
    service.publish("before").await?;
    until_text(&browser, "before").await?;
    browser.run("addEventListener('pageshow', ({ persisted }) => { window.persisted = persisted })").await?;

    browser.open(&elsewhere.url("/livez")).await?;
    proxy.until_streams(0).await?;
    service.publish("meanwhile").await?;
    browser.back().await?;
    browser.until("window.persisted").await?;
    assert_eq!(until_text(&browser, "meanwhile").await?, ["before", "meanwhile"]);
    Ok(())
}

#[tokio::test]
async fn a_websocket_survives_the_back_forward_cache() -> Result<()> {
    comes_back_from_the_cache(Method::Ws).await
}

#[tokio::test]
async fn a_stream_survives_the_back_forward_cache() -> Result<()> {
    comes_back_from_the_cache(Method::Sse).await
}

#[tokio::test]
async fn a_poll_survives_the_back_forward_cache() -> Result<()> {
    comes_back_from_the_cache(Method::Poll).await
}
