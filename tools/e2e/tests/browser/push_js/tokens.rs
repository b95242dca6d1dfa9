//! Tokens that end: another one is asked for, and nothing is lost.

use std::time::Duration;

use anyhow::Result;
use e2e::browser::Browser;
use e2e::service::{Method, Service};
use serde_json::json;
use testkit::tokens::{SECRET, token_with};

use super::{HASTY_POLLS, Stage, follow, follow_directly, nothing, open_at, publish_with_token, states, until_text};

/// A page of a closed service, which has a token for three seconds and then others.
struct Renewal {
    stage: Stage,
    /// The end of the first token, in seconds since the Unix epoch.
    ends: f64,
}

impl Renewal {
    async fn set(method: Method, later: serde_json::Value) -> Result<Self> {
        let stage = Stage::set(method, &[&format!("--jwt-secret={SECRET}")]).await?;
        let ends = token::now() + 3.0;
        let (short, later) = (token_with(json!({ "exp": ends })), token_with(later));
        stage.run(&format!("window.asked = 0; window.token = async () => (asked++ ? '{later}' : '{short}')")).await?;
        stage.follow("topics: 'a.b', token").await?;
        Ok(Self { stage, ends })
    }

    /// Publishes until the first token has ended, and after it, and expects every message once.
    async fn receives_everything(&self) -> Result<()> {
        let (stage, publisher) = (&self.stage, token_with(nothing()));
        let mut published = Vec::new();
        let mut next = tokio::time::interval(Duration::from_millis(20));
        while stage.value("asked").await? == 1 || token::now() < self.ends + 0.5 {
            next.tick().await;
            let text = format!("{}", published.len());
            publish_with_token(&stage.service, &publisher, &text).await?;
            published.push(text);
        }
        let last = "the last".to_owned();
        publish_with_token(&stage.service, &publisher, &last).await?;
        published.push(last);
        assert_eq!(stage.until_text("the last").await?, published);
        assert!(!states(&stage.browser).await?.contains(&"refused".to_owned()));
        Ok(())
    }
}

#[tokio::test]
async fn a_token_is_renewed_within_a_websocket() -> Result<()> {
    let renewal = Renewal::set(Method::Ws, nothing()).await?;
    renewal.receives_everything().await?;
    let Renewal { stage, ends } = renewal;
    // It is the same connection, beyond the end of the first token.
    stage.browser.until(&format!("Date.now() / 1000 > {}", ends + 1.0)).await?;
    publish_with_token(&stage.service, &token_with(nothing()), "beyond").await?;
    until_text(&stage.browser, "beyond").await?;
    assert_eq!(stage.proxy.requests("GET /feed"), 1);
    assert_eq!(states(&stage.browser).await?, ["connecting", "open"]);
    assert_eq!(stage.browser.value("asked").await?, 2);
    Ok(())
}

/// A page that has no other token sends none: the connection ends with the token, and the service says why it takes no other one.
#[tokio::test]
async fn the_token_that_counts_already_is_not_sent_again() -> Result<()> {
    let service = Service::started(Method::Ws, &[&format!("--jwt-secret={SECRET}")]).await?;
    let browser = Browser::start("en").await?;
    open_at(&browser, &service).await?;
    let send = "WebSocket.prototype.send = function (text) { sent.push(text) }";
    browser.run(&format!("window.sent = []; window.asked = 0; {send}")).await?;
    let token = token_with(json!({ "exp": token::now() + 3.0 }));
    let options = format!("{{ ws: '/', topics: 'a.b', token: () => {{ asked += 1; return '{token}' }} }}");
    follow(&browser, &options).await?;
    browser.until("seen.one.state === 'refused'").await?;
    assert!(browser.value("asked").await?.as_u64() > Some(1), "it was asked for when the end was announced");
    assert_eq!(browser.value("sent").await?, json!([]));
    Ok(())
}

#[tokio::test]
async fn a_stream_comes_back_with_another_ticket() -> Result<()> {
    let renewal = Renewal::set(Method::Sse, nothing()).await?;
    renewal.receives_everything().await?;
    assert_eq!(renewal.stage.proxy.requests("POST /ticket"), 2);
    assert_eq!(renewal.stage.value("asked").await?, 2);
    Ok(())
}

#[tokio::test]
async fn a_poll_is_repeated_with_another_token() -> Result<()> {
    let renewal = Renewal::set(Method::Poll, nothing()).await?;
    renewal.receives_everything().await?;
    assert_eq!(renewal.stage.value("asked").await?, 2);
    Ok(())
}

#[tokio::test]
async fn a_ticket_is_asked_for_at_each_attempt() -> Result<()> {
    let Renewal { stage, .. } = Renewal::set(Method::Sse, nothing()).await?;
    stage.proxy.cut();
    stage.until_waiting().await?;
    stage.proxy.mend();
    stage.browser.until("seen.one.methods.length === 2").await?;
    assert!(stage.proxy.requests("POST /ticket") >= 2);
    Ok(())
}

#[tokio::test]
async fn a_client_whose_rights_end_is_refused() -> Result<()> {
    for method in Method::ALL {
        let Renewal { stage, .. } = Renewal::set(method, json!({ "subscribe": ["other"] })).await?;
        stage.browser.until("seen.one.state === 'refused'").await?;
        assert_eq!(stage.browser.value("seen.one.errors.at(-1).status").await?, 403, "{method:?}");
    }
    Ok(())
}

/// The tab that has the connection renews its token there; the other one has had its own for as long, and takes over when it has ended.
#[tokio::test]
async fn a_tab_that_takes_over_asks_for_another_token() -> Result<()> {
    let stage = Stage::set(Method::Ws, &[&format!("--jwt-secret={SECRET}"), "--heartbeat=600s"]).await?;
    let ends = token::now() + 4.0;
    let (short, good) = (token_with(json!({ "exp": ends })), token_with(nothing()));
    for tab in 0..2 {
        if tab > 0 {
            stage.browser.open_tab().await?;
            open_at(&stage.browser, &stage.service).await?;
        }
        stage.run(&format!("window.asked = 0; window.token = () => (asked++ ? '{good}' : '{short}')")).await?;
        stage.follow("topics: 'a.b', share: true, token").await?;
    }
    stage.proxy.until_streams(1).await?;
    assert_eq!(stage.value("asked").await?, 1, "the tab has had a token of its own");
    // A service accepts a token for 5 seconds longer, for clocks that differ.
    stage.browser.until(&format!("Date.now() / 1000 > {}", ends + 5.5)).await?;
    stage.browser.switch_to_tab(0).await?;
    assert_eq!(stage.value("seen.one.state").await?, "open");
    stage.browser.close_tab().await?;
    stage.browser.switch_to_tab(0).await?;
    publish_with_token(&stage.service, &good, "after it").await?;
    assert_eq!(stage.until_text("after it").await?, ["after it"]);
    assert_eq!(stage.value("asked").await?, 2);
    Ok(())
}

#[tokio::test]
async fn a_token_may_end_with_a_line_end() -> Result<()> {
    let browser = Browser::start("en").await?;
    for method in Method::ALL {
        let service = Service::started(method, &[&format!("--jwt-secret={SECRET}")]).await?;
        open_at(&browser, &service).await?;
        let token = token_with(nothing());
        follow(&browser, &format!("{{ {}: '/', topics: 'a.b', token: async () => '{token}\\n' }}", method.name()))
            .await?;
    }
    Ok(())
}

/// It is needed for each service, so none of them is tried without.
#[tokio::test]
async fn a_token_that_cannot_be_had_is_asked_for_once_before_a_pause() -> Result<()> {
    let service = Service::started(Method::Poll, &[&format!("--jwt-secret={SECRET}")]).await?;
    let browser = Browser::start("en").await?;
    for failing in ["throw new Error('the backend is away')", "return new Promise(() => {})"] {
        open_at(&browser, &service).await?;
        browser.run(&format!("window.asked = 0; {HASTY_POLLS}; Math.random = () => 10000")).await?;
        let token = format!("() => {{ asked += 1; {failing} }}");
        browser
            .run(&format!("follow('one', {{ ws: '/', sse: '/', poll: '/', topics: 'a.b', token: {token} }})"))
            .await?;
        browser.until("seen.one.state === 'waiting'").await?;
        assert_eq!(browser.value("asked").await?, 1, "{failing}");
    }
    Ok(())
}

#[tokio::test]
async fn an_open_service_takes_a_client_with_a_token() -> Result<()> {
    let browser = Browser::start("en").await?;
    for method in Method::ALL {
        follow_directly(&browser, method, "token: 'unneeded'").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_token_that_cannot_be_had_is_asked_for_again() -> Result<()> {
    let service = Service::started(Method::Poll, &[&format!("--jwt-secret={SECRET}")]).await?;
    let browser = Browser::start("en").await?;
    open_at(&browser, &service).await?;
    let good = token_with(nothing());
    let token = format!("() => {{ if (!asked++) throw new Error('the backend is away'); return '{good}' }}");
    browser.run("window.asked = 0").await?;
    follow(&browser, &format!("{{ poll: '/', topics: 'a.b', token: {token} }}")).await?;
    assert_eq!(browser.value("seen.one.errors[0].message").await?, "the backend is away");
    Ok(())
}
