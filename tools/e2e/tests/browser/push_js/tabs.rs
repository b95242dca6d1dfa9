//! The tabs of an origin share one connection, and each of them loses nothing.

use std::ops::Range;

use anyhow::Result;
use e2e::browser::Browser;
use e2e::proxy::{Conduct, Proxy};
use e2e::service::{Method, Service};
use serde_json::json;

use super::{follow, open_at, texts, until_text};

const TABS: usize = 3;

/// Three tabs that follow one service through a proxy. The first one leads.
struct Stage {
    service: Service,
    proxy: Proxy,
    browser: Browser,
}

impl Stage {
    async fn set(method: Method) -> Result<Self> {
        // Tabs come together before any heartbeat.
        let service = Service::started(method, &["--heartbeat=600s"]).await?;
        let proxy = Proxy::start(service.address()).await?;
        let browser = Browser::start("en").await?;
        let stage = Self { service, proxy, browser };
        for tab in 0..TABS {
            if tab > 0 {
                stage.browser.open_tab().await?;
            }
            open_at(&stage.browser, &stage.service).await?;
            follow(&stage.browser, &stage.options(method)).await?;
        }
        Ok(stage)
    }

    fn options(&self, method: Method) -> String {
        format!("{{ {}: '{}', share: true }}", method.name(), self.proxy.url(""))
    }

    /// Waits in each of these tabs for the last of these texts, and expects all of them.
    async fn receive(&self, tabs: Range<usize>, expected: &[String]) -> Result<()> {
        for tab in tabs {
            self.browser.switch_to_tab(tab).await?;
            let last = expected.last().map(String::as_str).unwrap_or_default();
            assert_eq!(until_text(&self.browser, last).await?, expected, "tab {tab}");
        }
        Ok(())
    }

    /// Publishes some texts and adds them to those that are expected.
    async fn publish(&self, name: &str, expected: &mut Vec<String>) -> Result<()> {
        for number in 0..5 {
            let text = format!("{name} {number}");
            self.service.publish(&text).await?;
            expected.push(text);
        }
        Ok(())
    }
}

async fn tabs_share_one_connection(method: Method) -> Result<()> {
    let stage = Stage::set(method).await?;
    stage.proxy.until_streams(1).await?;
    let mut expected = Vec::new();
    stage.publish("shared", &mut expected).await?;
    stage.receive(0..TABS, &expected).await?;
    stage.proxy.until_streams(1).await?;
    for tab in 0..TABS {
        stage.browser.switch_to_tab(tab).await?;
        assert_eq!(stage.browser.value("seen.one.state").await?, "open");
        let last = stage.browser.value("seen.one.messages.at(-1).id").await?;
        assert_eq!(stage.browser.value("seen.one.subscription.cursor").await?, last, "tab {tab}");
    }
    Ok(())
}

#[tokio::test]
async fn tabs_share_one_websocket() -> Result<()> {
    tabs_share_one_connection(Method::Ws).await
}

#[tokio::test]
async fn tabs_share_one_stream() -> Result<()> {
    tabs_share_one_connection(Method::Sse).await
}

/// Messages are published all the time, and the tab that has the connection goes: by closing its subscription, and by being closed.
async fn nothing_is_lost_when_the_leader_goes(method: Method) -> Result<()> {
    let stage = Stage::set(method).await?;
    let mut expected = Vec::new();
    stage.publish("first", &mut expected).await?;
    stage.receive(0..TABS, &expected).await?;

    stage.browser.switch_to_tab(0).await?;
    stage.browser.run("seen.one.subscription.close()").await?;
    stage.publish("after the first leader", &mut expected).await?;
    stage.receive(1..TABS, &expected).await?;

    stage.browser.switch_to_tab(1).await?;
    stage.publish("meanwhile", &mut expected).await?;
    stage.browser.close_tab().await?;
    stage.publish("after the second leader", &mut expected).await?;
    // The last tab is the second one now.
    stage.receive(1..TABS - 1, &expected).await?;
    assert_eq!(stage.browser.value("seen.one.gaps.length").await?, 0);
    Ok(())
}

#[tokio::test]
async fn nothing_is_lost_when_the_leader_of_a_websocket_goes() -> Result<()> {
    nothing_is_lost_when_the_leader_goes(Method::Ws).await
}

#[tokio::test]
async fn nothing_is_lost_when_the_leader_of_a_stream_goes() -> Result<()> {
    nothing_is_lost_when_the_leader_goes(Method::Sse).await
}

#[tokio::test]
async fn nothing_is_lost_when_the_leader_of_polls_goes() -> Result<()> {
    nothing_is_lost_when_the_leader_goes(Method::Poll).await
}

#[tokio::test]
async fn cuts_lose_nothing_in_any_tab() -> Result<()> {
    let stage = Stage::set(Method::Ws).await?;
    let mut expected = Vec::new();
    for round in 0..8 {
        stage.publish(&format!("before cut {round}"), &mut expected).await?;
        stage.proxy.cut();
        stage.publish(&format!("during cut {round}"), &mut expected).await?;
        stage.proxy.mend();
    }
    stage.receive(0..TABS, &expected).await?;
    stage.proxy.until_streams(1).await?;
    Ok(())
}

/// Each tab has a cursor of its own: one begins earlier than the leader is.
#[tokio::test]
async fn a_tab_that_is_behind_catches_up_by_itself() -> Result<()> {
    let stage = Stage::set(Method::Ws).await?;
    let mut expected = Vec::new();
    stage.publish("first", &mut expected).await?;
    stage.receive(0..TABS, &expected).await?;
    let options = format!("{{ ws: '{}', share: true, since: 'earliest' }}", stage.proxy.url(""));
    stage.browser.run(&format!("follow('late', {options})")).await?;
    stage.browser.until("seen.late.texts.length === 5").await?;
    stage.proxy.until_streams(1).await?;
    stage.publish("second", &mut expected).await?;
    stage.receive(0..TABS, &expected).await?;
    stage.browser.until("seen.late.texts.length === 10").await?;
    assert_eq!(texts(&stage.browser, "late").await?, expected);
    Ok(())
}

#[tokio::test]
async fn tabs_that_follow_other_topics_do_not_share() -> Result<()> {
    let stage = Stage::set(Method::Ws).await?;
    stage.proxy.until_streams(1).await?;
    let url = stage.proxy.url("");
    for options in
        [format!("{{ ws: '{url}', share: true, topics: 'other' }}"), format!("{{ ws: '{url}', share: 'ada' }}")]
    {
        stage.browser.run(&format!("follow('other', {options})")).await?;
        stage.browser.until("seen.other.state === 'open'").await?;
    }
    stage.proxy.until_streams(3).await?;
    Ok(())
}

#[tokio::test]
async fn a_leader_that_is_frozen_is_left() -> Result<()> {
    let stage = Stage::set(Method::Ws).await?;
    let mut expected = Vec::new();
    stage.publish("first", &mut expected).await?;
    stage.receive(0..TABS, &expected).await?;
    stage.proxy.until_streams(1).await?;
    // The last tab is the one that is shown. Of a leader that says nothing, it hears nothing more; a minute is too long for a test.
    stage.browser.run("const set = setTimeout; window.setTimeout = (run, after) => set(run, after / 100)").await?;
    stage.publish("second", &mut expected).await?;
    stage.receive(TABS - 1..TABS, &expected).await?;
    stage.proxy.set(Conduct::Passing);
    stage.proxy.until_streams(2).await?;
    assert_eq!(stage.browser.value("seen.one.texts.length").await?, json!(10));
    Ok(())
}

/// A tab may learn of a state and a message by one word of the leader, and close at the state.
#[tokio::test]
async fn nothing_comes_after_close_in_a_tab_that_does_not_lead() -> Result<()> {
    let service = Service::started(Method::Ws, &["--heartbeat=600s"]).await?;
    let proxy = Proxy::start(service.address()).await?;
    let browser = Browser::start("en").await?;
    open_at(&browser, &service).await?;
    // A leader that is silent for a minute counts as frozen: a minute is too long for a test.
    browser
        .run("const set = setTimeout; window.setTimeout = (run, after) => set(run, after === 60000 ? 300 : after)")
        .await?;
    let options = format!("ws: '{}', share: true", proxy.url(""));
    follow(&browser, &format!("{{ {options} }}")).await?;
    // The other one is left to a connection of its own, which does not get through.
    proxy.set(Conduct::HoldingStreams);
    browser
        .run(&format!(
            "window.got = []; window.closes = false; window.other = push.subscribe({{ {options},
                since: seen.one.subscription.cursor,
                onMessage({{ text }}) {{ got.push(text) }},
                onState(state) {{ got.push(state); if (closes && state === 'open') other.close() }} }})"
        ))
        .await?;
    browser.until("got.lastIndexOf('connecting') > got.indexOf('open') && got.includes('open')").await?;
    browser.run("window.closes = true").await?;
    service.publish("one").await?;
    until_text(&browser, "one").await?;
    browser.until("got.includes('closed')").await?;
    assert_eq!(browser.value("got.slice(-2)").await?, json!(["open", "closed"]));
    assert_eq!(browser.value("got.includes('one')").await?, false);
    Ok(())
}
