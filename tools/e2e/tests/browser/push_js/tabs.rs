//! The tabs of an origin share one connection, and each of them loses nothing.

use std::ops::Range;

use anyhow::Result;
use e2e::proxy::Conduct;
use e2e::service::Method;
use serde_json::json;
use testkit::metrics;

use super::{HASTY_MINUTES, Stage, open_at, texts, until_text};

const TABS: usize = 3;

impl Stage {
    /// Opens so many tabs that follow one service. The first one leads.
    async fn with_tabs(method: Method, count: usize) -> Result<Self> {
        // Tabs come together before any heartbeat.
        let stage = Self::set(method, &["--heartbeat=600s"]).await?;
        stage.follow("share: true").await?;
        for _ in 1..count {
            stage.browser.open_tab().await?;
            open_at(&stage.browser, &stage.service).await?;
            stage.follow("share: true").await?;
        }
        Ok(stage)
    }

    /// Waits in each of these tabs for the last of these texts, and expects all of them.
    async fn receive(&self, tabs: Range<usize>, expected: &[String]) -> Result<()> {
        for tab in tabs {
            self.browser.switch_to_tab(tab).await?;
            let last = expected.last().map(String::as_str).unwrap_or_default();
            assert_eq!(self.until_text(last).await?, expected, "tab {tab}");
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
    let stage = Stage::with_tabs(method, TABS).await?;
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
pub(super) async fn tabs_share_one_websocket() -> Result<()> {
    tabs_share_one_connection(Method::Ws).await
}

#[tokio::test]
async fn tabs_share_one_stream() -> Result<()> {
    tabs_share_one_connection(Method::Sse).await
}

/// Messages are published all the time, and the tab that has the connection goes: by closing its subscription, and by being closed.
async fn nothing_is_lost_when_the_leader_goes(method: Method) -> Result<()> {
    let stage = Stage::with_tabs(method, TABS).await?;
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
pub(super) async fn nothing_is_lost_when_the_leader_of_a_stream_goes() -> Result<()> {
    nothing_is_lost_when_the_leader_goes(Method::Sse).await
}

#[tokio::test]
async fn nothing_is_lost_when_the_leader_of_polls_goes() -> Result<()> {
    nothing_is_lost_when_the_leader_goes(Method::Poll).await
}

/// Waits until the service itself counts so many connections.
async fn until_connections(stage: &Stage, count: f64) {
    let counts = |samples: &metrics::Samples| (samples.sum("push_connections", &[]) - count).abs() < 0.1;
    metrics::until(stage.service.address(), counts).await;
}

/// Ten tabs are one connection at the service, also after the tab with the connection was closed while messages were published.
async fn ten_tabs_are_one_connection(method: Method) -> Result<()> {
    const MANY: usize = 10;
    let stage = Stage::with_tabs(method, MANY).await?;
    until_connections(&stage, 1.0).await;
    let mut expected = Vec::new();
    stage.publish("to all ten", &mut expected).await?;
    stage.receive(0..MANY, &expected).await?;
    until_connections(&stage, 1.0).await;

    stage.browser.switch_to_tab(0).await?;
    stage.publish("meanwhile", &mut expected).await?;
    let (closed, published) = tokio::join!(stage.browser.close_tab(), stage.publish("as it closes", &mut expected));
    closed.and(published)?;
    stage.publish("after it", &mut expected).await?;
    stage.receive(0..MANY - 1, &expected).await?;
    until_connections(&stage, 1.0).await;
    for tab in 0..MANY - 1 {
        stage.browser.switch_to_tab(tab).await?;
        assert_eq!(stage.value("seen.one.gaps.length").await?, 0, "tab {tab}");
    }
    Ok(())
}

#[tokio::test]
async fn ten_tabs_are_one_websocket() -> Result<()> {
    ten_tabs_are_one_connection(Method::Ws).await
}

#[tokio::test]
async fn ten_tabs_are_one_stream() -> Result<()> {
    ten_tabs_are_one_connection(Method::Sse).await
}

#[tokio::test]
async fn ten_tabs_are_one_poll() -> Result<()> {
    ten_tabs_are_one_connection(Method::Poll).await
}

#[tokio::test]
async fn cuts_lose_nothing_in_any_tab() -> Result<()> {
    let stage = Stage::with_tabs(Method::Ws, TABS).await?;
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
    let stage = Stage::with_tabs(Method::Ws, TABS).await?;
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
    let stage = Stage::with_tabs(Method::Ws, TABS).await?;
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
    let stage = Stage::with_tabs(Method::Ws, TABS).await?;
    let mut expected = Vec::new();
    stage.publish("first", &mut expected).await?;
    stage.receive(0..TABS, &expected).await?;
    stage.proxy.until_streams(1).await?;
    // The last tab is the one that is shown. Of a leader that says nothing, it hears nothing more; a minute is too long for a test.
    stage.browser.run("const set = setTimeout; window.setTimeout = (run, after) => set(run, after / 100)").await?;
    stage.publish("second", &mut expected).await?;
    stage.receive(TABS - 1..TABS, &expected).await?;
    stage.proxy.until_streams(2).await?;
    assert_eq!(stage.browser.value("seen.one.texts.length").await?, json!(10));
    Ok(())
}

#[tokio::test]
async fn every_tab_hears_why_there_is_no_connection() -> Result<()> {
    let stage = Stage::with_tabs(Method::Ws, TABS).await?;
    stage.proxy.until_streams(1).await?;
    stage.browser.switch_to_tab(0).await?;
    let answer = "new Response(JSON.stringify({ error: 'draining', message: 'It shuts down.' }), { status: 503 })";
    stage.run(&format!("window.fetch = async () => {answer}")).await?;
    stage.proxy.cut();
    stage.browser.until("seen.one.errors.length > 0").await?;
    for tab in 0..TABS {
        stage.browser.switch_to_tab(tab).await?;
        stage.browser.until("seen.one.state === 'waiting' && seen.one.errors.length > 0").await?;
        let error = stage.value("seen.one.errors.at(-1)").await?;
        let expected = json!({ "name": "PushError", "code": "draining", "status": 503, "retryAfter": 0, "message": "It shuts down." });
        assert_eq!(error, expected, "tab {tab}");
    }
    Ok(())
}

/// A tab may learn of a state and a message by one word of the leader, and close at the state.
#[tokio::test]
async fn nothing_comes_after_close_in_a_tab_that_does_not_lead() -> Result<()> {
    let stage = Stage::set(Method::Ws, &["--heartbeat=600s"]).await?;
    stage.run(HASTY_MINUTES).await?;
    stage.follow("share: true").await?;
    // It answers others once it leads, and sends them nothing by itself for as long as a heartbeat.
    stage.browser.until("navigator.locks.query().then(({ held }) => held.length > 0)").await?;
    let options = format!("ws: '{}', share: true", stage.proxy.url(""));
    let Stage { service, proxy, browser } = stage;
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
