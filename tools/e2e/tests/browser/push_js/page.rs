//! The page's life.

use anyhow::Result;
use e2e::browser::Browser;
use e2e::engine::Engine;
use e2e::service::{Method, Service};

use super::{Stage, following};

/// A page that is cut off, and whose next attempt by itself would be later than any test waits.
async fn cut_off(browser: Browser, method: Method) -> Result<Stage> {
    let stage = Stage::set_in(browser, method, &[]).await?;
    stage.follow("").await?;
    stage.run("window.random = Math.random; Math.random = () => 10000").await?;
    stage.proxy.cut();
    stage.until_waiting().await?;
    Ok(stage)
}

#[tokio::test]
pub(super) async fn a_page_that_is_online_again_comes_back_at_once() -> Result<()> {
    let mut browser = Browser::start("en").await?;
    for method in Method::ALL {
        let stage = cut_off(browser, method).await?;
        stage.service.publish("meanwhile").await?;
        stage.proxy.mend();
        stage.run("Math.random = random; dispatchEvent(new Event('online'))").await?;
        assert_eq!(stage.until_text("meanwhile").await?, ["meanwhile"], "{method:?}");
        browser = stage.browser;
    }
    Ok(())
}

#[tokio::test]
async fn a_page_that_is_shown_again_comes_back_at_once() -> Result<()> {
    let stage = cut_off(Browser::start("en").await?, Method::Ws).await?;
    stage.proxy.mend();
    stage.run("Math.random = random; document.dispatchEvent(new Event('visibilitychange'))").await?;
    stage.browser.until("seen.one.state === 'open'").await?;
    Ok(())
}

/// A machine that was asleep: its clock has moved on, and nothing was heard meanwhile.
#[tokio::test]
async fn a_connection_that_slept_is_made_anew() -> Result<()> {
    let mut browser = Browser::start("en").await?;
    for method in Method::ALL {
        let stage = Stage::set_in(browser, method, &[]).await?;
        stage.follow("").await?;
        // A poll that is held, after the first one, which is not.
        stage.proxy.until_requests(following(method), if method == Method::Poll { 2 } else { 1 }).await?;
        stage
            .run("const now = Date.now; Date.now = () => now() + 3600000; document.dispatchEvent(new Event('resume'))")
            .await?;
        stage.browser.until("seen.one.methods.length === 2").await?;
        browser = stage.browser;
    }
    Ok(())
}

/// A page is left and comes back from the back/forward cache, with its scripts as they were.
async fn comes_back_from_the_cache(method: Method) -> Result<()> {
    let stage = Stage::set(method, &[]).await?;
    let elsewhere = Service::started(Method::Poll, &[]).await?;
    stage.follow("share: true").await?;
    stage.service.publish("before").await?;
    stage.until_text("before").await?;
    stage.run("addEventListener('pageshow', ({ persisted }) => { window.persisted = persisted })").await?;

    stage.browser.open(&elsewhere.url("/livez")).await?;
    stage.proxy.until_streams(0).await?;
    stage.service.publish("meanwhile").await?;
    stage.browser.back().await?;
    if Engine::chosen()? == Engine::Firefox {
        // It keeps no page in the cache that has a connection or a Web Lock when it is left.
        stage.browser.until("location.pathname === '/livez' && window.push === undefined").await?;
        return Ok(());
    }
    stage.browser.until("window.persisted").await?;
    assert_eq!(stage.until_text("meanwhile").await?, ["before", "meanwhile"]);
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
