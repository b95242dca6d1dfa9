//! The methods: WebSocket, else Server-Sent Events, else polling, and back to the better one.

use anyhow::Result;
use e2e::browser::Browser;
use e2e::proxy::{Conduct, Proxy};
use e2e::service::{Method, Service};
use serde_json::json;

use super::{HASTY_MINUTES, follow, open_at, texts, until_method, until_text};

/// The three services on one history, each behind a proxy.
struct Stage {
    services: [Service; 3],
    proxies: [Proxy; 3],
    browser: Browser,
    _directory: tempfile::TempDir,
}

impl Stage {
    async fn set() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let services = Service::all_three(&[&format!("--data={}", directory.path().display())]).await?;
        let [ws, poll, sse] = &services;
        let proxies = [
            Proxy::start(ws.address()).await?,
            Proxy::start(poll.address()).await?,
            Proxy::start(sse.address()).await?,
        ];
        let browser = Browser::start("en").await?;
        open_at(&browser, ws).await?;
        Ok(Self { services, proxies, browser, _directory: directory })
    }

    /// The options for all three.
    fn options(&self) -> String {
        let [ws, poll, sse] = self.proxies.each_ref().map(|proxy| proxy.url(""));
        format!("{{ ws: '{ws}', sse: '{sse}', poll: '{poll}' }}")
    }
}

#[tokio::test]
async fn a_blocked_upgrade_falls_to_server_sent_events() -> Result<()> {
    let stage = Stage::set().await?;
    let [ws, ..] = &stage.proxies;
    ws.set(Conduct::WithoutUpgrades);
    follow(&stage.browser, &stage.options()).await?;
    assert_eq!(stage.browser.value("seen.one.methods").await?, json!(["sse"]));
    stage.services[1].publish("by the stream").await?;
    assert_eq!(until_text(&stage.browser, "by the stream").await?, ["by the stream"]);
    // After a cut it does not begin with what was blocked a moment ago.
    let tried = ws.requests("GET /feed");
    stage.proxies[2].cut();
    stage.browser.until("seen.one.states.includes('waiting')").await?;
    stage.proxies[2].mend();
    stage.browser.until("seen.one.methods.length === 2").await?;
    assert_eq!(ws.requests("GET /feed"), tried);
    Ok(())
}

#[tokio::test]
async fn a_stream_that_is_held_back_falls_to_polling() -> Result<()> {
    let stage = Stage::set().await?;
    let [ws, _, sse] = &stage.proxies;
    ws.set(Conduct::WithoutUpgrades);
    sse.set(Conduct::HoldingStreams);
    follow(&stage.browser, &stage.options()).await?;
    assert_eq!(stage.browser.value("seen.one.methods").await?, json!(["poll"]));
    stage.services[2].publish("by polling").await?;
    assert_eq!(until_text(&stage.browser, "by polling").await?, ["by polling"]);
    assert_eq!(sse.requests("GET /events"), 1);
    Ok(())
}

#[tokio::test]
async fn a_service_that_is_away_leaves_the_next_method() -> Result<()> {
    let stage = Stage::set().await?;
    let [ws, ..] = &stage.proxies;
    ws.cut();
    follow(&stage.browser, &stage.options()).await?;
    assert_eq!(stage.browser.value("seen.one.methods").await?, json!(["sse"]));
    Ok(())
}

/// Goes through the methods, there and back, while messages are published all the time.
#[tokio::test]
async fn a_change_of_method_loses_nothing_and_brings_nothing_twice() -> Result<()> {
    let stage = Stage::set().await?;
    let [ws, _, sse] = &stage.proxies;
    follow(&stage.browser, &stage.options()).await?;
    let mut published = Vec::new();
    for (conducts, method) in [
        ([Conduct::Passing, Conduct::Passing], "ws"),
        ([Conduct::WithoutUpgrades, Conduct::Passing], "sse"),
        ([Conduct::WithoutUpgrades, Conduct::HoldingStreams], "poll"),
        ([Conduct::WithoutUpgrades, Conduct::Passing], "sse"),
        ([Conduct::Passing, Conduct::Passing], "ws"),
    ] {
        // On a changed network, an open connection is cut, or a better method can be found.
        for (proxy, conduct) in [(ws, conducts[0]), (sse, conducts[1])] {
            if conduct != Conduct::Passing {
                proxy.cut();
            }
            proxy.set(conduct);
        }
        let is_there = format!("seen.one.methods.at(-1) === '{method}' && seen.one.state === 'open'");
        stage.browser.run("dispatchEvent(new Event('online'))").await?;
        for number in 0.. {
            let text = format!("{method} {number} {}", published.len());
            stage.services[number % 3].publish(&text).await?;
            published.push(text);
            if number >= 5 && stage.browser.value(&is_there).await? == true {
                break;
            }
            assert!(number < 1000, "{method} is not reached: {}", stage.browser.value("seen.one.states").await?);
        }
    }
    stage.services[0].publish("the last").await?;
    published.push("the last".to_owned());
    assert_eq!(until_text(&stage.browser, "the last").await?, published);
    Ok(())
}

/// A better method begins where the client was when it was tried, and gets through later.
#[tokio::test]
async fn what_a_better_method_repeats_comes_once() -> Result<()> {
    let stage = Stage::set().await?;
    let [ws, ..] = &stage.proxies;
    ws.set(Conduct::WithoutUpgrades);
    follow(&stage.browser, &stage.options()).await?;
    stage.services[0].publish("before").await?;
    until_text(&stage.browser, "before").await?;

    ws.set(Conduct::HoldingStreams);
    let tried = ws.requests("GET /feed");
    stage.browser.run("dispatchEvent(new Event('online'))").await?;
    ws.until_requests("GET /feed", tried + 1).await?;
    for text in ["one", "two"] {
        stage.services[0].publish(text).await?;
    }
    until_text(&stage.browser, "two").await?;
    ws.mend();
    until_method(&stage.browser, "ws").await?;
    stage.services[0].publish("the last").await?;
    assert_eq!(until_text(&stage.browser, "the last").await?, ["before", "one", "two", "the last"]);
    Ok(())
}

#[tokio::test]
async fn a_better_method_is_tried_again_later() -> Result<()> {
    let stage = Stage::set().await?;
    let [ws, ..] = &stage.proxies;
    stage.browser.run(HASTY_MINUTES).await?;
    ws.set(Conduct::WithoutUpgrades);
    follow(&stage.browser, &stage.options()).await?;
    ws.mend();
    until_method(&stage.browser, "ws").await?;
    assert_eq!(stage.browser.value("seen.one.methods").await?, json!(["sse", "ws"]));
    assert_eq!(stage.browser.value("seen.one.states").await?, json!(["connecting", "connecting", "open", "open"]));
    Ok(())
}

/// Services with histories of their own: what one has is not asked of another by its cursor, and comes once.
#[tokio::test]
async fn a_cursor_is_kept_for_each_history() -> Result<()> {
    let (ws, sse) = (Service::started(Method::Ws, &[]).await?, Service::started(Method::Sse, &[]).await?);
    let proxy = Proxy::start(ws.address()).await?;
    let browser = Browser::start("en").await?;
    open_at(&browser, &sse).await?;
    follow(&browser, &format!("{{ ws: '{}', sse: '{}' }}", proxy.url(""), sse.url(""))).await?;
    ws.publish("first").await?;
    until_text(&browser, "first").await?;

    proxy.set(Conduct::WithoutUpgrades);
    proxy.cut();
    until_method(&browser, "sse").await?;
    sse.publish("of the other history").await?;
    ws.publish("meanwhile").await?;
    let received = until_text(&browser, "of the other history").await?;
    assert_eq!(received, ["first", "gap", "of the other history"], "another history is a gap");
    assert_eq!(browser.value("seen.one.gaps.map(({ reason }) => reason)").await?, json!(["epoch"]));

    let first = browser.value("seen.one.messages[0].id").await?;
    let resumed = format!("GET /feed?since={}&", first.as_str().unwrap_or_default());
    let before = proxy.requests(&resumed);
    proxy.mend();
    browser.run("dispatchEvent(new Event('online'))").await?;
    until_method(&browser, "ws").await?;
    assert!(proxy.requests(&resumed) > before, "it asks with its cursor of that history");
    let received = until_text(&browser, "meanwhile").await?;
    assert_eq!(received, ["first", "gap", "of the other history", "meanwhile"], "it goes on where it was");
    assert_eq!(texts(&browser, "one").await?, received);
    Ok(())
}
