//! A service that does not take the client: it is told once, and the service is left alone.

use anyhow::Result;
use e2e::browser::Browser;
use e2e::proxy::Proxy;
use e2e::service::{Method, Service};
use serde_json::{Value, json};
use testkit::access::{SECRET, token_with};

use super::{nothing, open_at, states};

/// Notes the timers that are set.
const TIMERS: &str = "
    const [set, clear] = [setTimeout, clearTimeout];
    window.timers = new Set();
    window.setTimeout = (run, after) => {
        const timer = set(() => { timers.delete(timer); run() }, after);
        timers.add(timer);
        return timer;
    };
    window.clearTimeout = (timer) => { timers.delete(timer); clear(timer) };
";

/// Follows with these options a service with these flags, and returns the error with which it is refused for good.
async fn refused(method: Method, flags: &[&str], options: &str) -> Result<Value> {
    let service = Service::started(method, flags).await?;
    let proxy = Proxy::start(service.address()).await?;
    let browser = Browser::start("en").await?;
    open_at(&browser, &service).await?;
    browser.run(TIMERS).await?;
    browser.run(&format!("follow('one', {{ {}: '{}', {options} }})", method.name(), proxy.url(""))).await?;
    browser.until("seen.one.state === 'refused'").await?;
    assert_eq!(states(&browser).await?, ["connecting", "refused"], "{method:?}");
    assert_eq!(browser.value("timers.size").await?, 0, "nothing is left that could try again");
    let requests = proxy.requests("");
    // One attempt, which for a stream has a ticket, and the question why, with the browser's own questions about other origins.
    assert!(requests <= 6, "{method:?}: {requests} requests");
    assert_eq!(browser.value("seen.one.states.filter((state) => state === 'refused').length").await?, 1);
    browser.value("seen.one.errors[0]").await
}

#[tokio::test]
async fn a_client_without_a_token_is_refused_once() -> Result<()> {
    for method in Method::ALL {
        let error = refused(method, &[&format!("--jwt-secret={SECRET}")], "topics: ['a.b']").await?;
        assert_eq!((&error["status"], &error["code"]), (&json!(401), &json!("unauthorized")), "{method:?}");
        assert!(error["message"].as_str().is_some_and(|message| message.contains("token")), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_bad_token_is_asked_for_once() -> Result<()> {
    for method in Method::ALL {
        let options = "topics: ['a.b'], token: () => { window.asked = (window.asked ?? 0) + 1; return 'a.bad.token' }";
        let error = refused(method, &[&format!("--jwt-secret={SECRET}")], options).await?;
        assert_eq!(error["status"], 401, "{method:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_topic_that_the_token_does_not_cover_is_refused_once() -> Result<()> {
    let token = token_with(nothing());
    for method in Method::ALL {
        let options = format!("topics: ['b.c'], token: '{token}'");
        let error = refused(method, &[&format!("--jwt-secret={SECRET}")], &options).await?;
        assert_eq!((&error["status"], &error["code"]), (&json!(403), &json!("forbidden")), "{method:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_bad_topic_or_cursor_is_refused_once() -> Result<()> {
    for method in Method::ALL {
        let error = refused(method, &[], "topics: ['a..b']").await?;
        assert_eq!((&error["status"], &error["code"]), (&json!(400), &json!("bad_topic")), "{method:?}");
        let error = refused(method, &[], "since: 'yesterday'").await?;
        assert_eq!((&error["status"], &error["code"]), (&json!(400), &json!("bad_cursor")), "{method:?}");
    }
    Ok(())
}

#[tokio::test]
async fn the_next_service_is_asked_where_one_refuses() -> Result<()> {
    let closed = Service::started(Method::Ws, &[&format!("--jwt-secret={SECRET}")]).await?;
    let open = Service::started(Method::Sse, &[]).await?;
    let browser = Browser::start("en").await?;
    open_at(&browser, &open).await?;
    super::follow(&browser, &format!("{{ ws: '{}', sse: '{}' }}", closed.url(""), open.url(""))).await?;
    assert_eq!(browser.value("seen.one.methods").await?, json!(["sse"]));
    Ok(())
}

/// A service that is full or shutting down is tried again, with pauses that become longer.
#[tokio::test]
async fn a_service_that_is_away_is_tried_with_pauses() -> Result<()> {
    let service = Service::started(Method::Sse, &[]).await?;
    let browser = Browser::start("en").await?;
    for method in Method::ALL {
        let gone = Service::reserve(method)?;
        open_at(&browser, &service).await?;
        // The pauses are chosen by `Math.random`, up to a limit that doubles.
        browser.run("Math.random = () => 0.125; window.pauses = []").await?;
        browser
            .run(&format!(
                "push.subscribe({{ share: false, {}: '{}', onState(state, {{ until }}) {{
                    if (state === 'waiting') pauses.push(until - Date.now());
                }} }})",
                method.name(),
                gone.url("")
            ))
            .await?;
        browser.until("pauses.length >= 4").await?;
        let pauses: Vec<f64> = serde_json::from_value(browser.value("pauses").await?)?;
        for (pause, expected) in pauses.iter().zip([125.0, 250.0, 500.0, 1000.0]) {
            assert!((pause - expected).abs() < 100.0, "{method:?}: {pauses:?}");
        }
    }
    Ok(())
}
