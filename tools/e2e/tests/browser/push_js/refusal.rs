//! A service that does not take the client: that is reported once, and the service is left alone.

use anyhow::Result;
use e2e::browser::Browser;
use e2e::service::{Method, Service};
use serde_json::{Value, json};
use testkit::tokens::{SECRET, token_with};

use super::{Stage, follow, following, nothing, open_at, states};

/// Notes the timers that push.js sets. A driver may set some too.
const TIMERS: &str = "
    const [set, clear] = [setTimeout, clearTimeout];
    window.timers = new Set();
    window.setTimeout = (run, after) => {
        if (!new Error().stack.includes('push.js')) return set(run, after);
        const timer = set(() => { timers.delete(timer); run() }, after);
        timers.add(timer);
        return timer;
    };
    window.clearTimeout = (timer) => { timers.delete(timer); clear(timer) };
";

/// Follows with these options a service with these flags. Returns the error with which it is refused for good, and the number of times
/// for which the page has counted `asked`.
async fn refused(method: Method, flags: &[&str], options: &str) -> Result<(Value, Value)> {
    let stage = Stage::set(method, flags).await?;
    stage.run(TIMERS).await?;
    stage.run(&format!("follow('one', {})", stage.options(options))).await?;
    let Stage { proxy, browser, .. } = stage;
    browser.until("seen.one.state === 'refused'").await?;
    assert_eq!(browser.value("seen.one.states").await?, json!(["connecting", "refused"]), "{method:?}");
    assert_eq!(browser.value("timers.size").await?, 0, "nothing is left that could try again");
    // A stream whose ticket is refused is not even asked for.
    assert!(proxy.requests(following(method)) <= 1, "{method:?}");
    // One attempt, which for a stream has a ticket, and the question why, with the browser's own questions about other origins.
    let requests = proxy.requests("");
    assert!(requests <= 6, "{method:?}: {requests} requests");
    Ok((browser.value("seen.one.errors[0]").await?, browser.value("window.asked ?? 0").await?))
}

#[tokio::test]
pub(super) async fn a_client_without_a_token_is_refused_once() -> Result<()> {
    for method in Method::ALL {
        let (error, _) = refused(method, &[&format!("--jwt-secret={SECRET}")], "topics: ['a.b']").await?;
        assert_eq!((&error["status"], &error["code"]), (&json!(401), &json!("unauthorized")), "{method:?}");
        assert!(error["message"].as_str().is_some_and(|message| message.contains("token")), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_bad_token_is_asked_for_once() -> Result<()> {
    for method in Method::ALL {
        let options = "topics: ['a.b'], token: () => { window.asked = (window.asked ?? 0) + 1; return 'a.bad.token' }";
        let (error, asked) = refused(method, &[&format!("--jwt-secret={SECRET}")], options).await?;
        assert_eq!((&error["status"], asked), (&json!(401), json!(1)), "{method:?}");
    }
    Ok(())
}

/// A service that is away says nothing about the token; one that is there refuses it once.
#[tokio::test]
async fn a_bad_token_is_asked_for_once_where_another_service_is_away() -> Result<()> {
    let secret = format!("--jwt-secret={SECRET}");
    for method in [Method::Sse, Method::Poll] {
        let mut away = Service::reserve(Method::Ws)?;
        let service = Service::started(method, &[&secret]).await?;
        let browser = Browser::start("en").await?;
        open_at(&browser, &service).await?;
        let token = "token: () => { asked += 1; return 'a.bad.token' }";
        let options = format!("{{ ws: '{}', {}: '/', topics: 'a.b', {token} }}", away.url(""), method.name());
        browser.run(&format!("window.asked = 0; follow('one', {options})")).await?;
        browser.until("seen.one.states.filter((state) => state === 'waiting').length >= 2").await?;
        assert_eq!(browser.value("asked").await?, 1, "{method:?}");

        away.start(&[&secret]).await?;
        browser.until("seen.one.state === 'refused'").await?;
        // It was kept over pauses, in which it may have ended.
        assert_eq!(browser.value("asked").await?, 2, "{method:?}");
    }
    Ok(())
}

/// Has `fetch` answer what goes to an address that begins so in place of the service, as something in between may.
async fn answer_in_between(browser: &Browser, beginning: &str, body: &str, init: &str) -> Result<()> {
    let answer = format!("new Response({body}, {init})");
    let condition = format!("`${{address}}`.startsWith('{beginning}')");
    let script = "window.direct ??= fetch; window.fetch = (address, init) =>";
    browser.run(&format!("{script} {condition} ? Promise.resolve({answer}) : direct(address, init)")).await
}

#[tokio::test]
async fn an_answer_of_something_in_between_is_no_refusal() -> Result<()> {
    let service = Service::started(Method::Poll, &[]).await?;
    let browser = Browser::start("en").await?;
    for body in ["'<h1>Not found</h1>'", "'{}'"] {
        for status in [401, 403, 404] {
            open_at(&browser, &service).await?;
            answer_in_between(&browser, &service.url(""), body, &format!("{{ status: {status} }}")).await?;
            browser.run("follow('one', { poll: '/' })").await?;
            browser.until("seen.one.states.includes('waiting')").await?;
            let error = browser.value("seen.one.errors[0]").await?;
            assert_eq!((&error["status"], &error["code"]), (&json!(status), &json!("not_the_service")), "{body}");
            browser.run("window.fetch = direct").await?;
            browser.until("seen.one.state === 'open'").await?;
            assert!(!states(&browser).await?.contains(&"refused".to_owned()), "{body}: {status}");
        }
    }
    Ok(())
}

/// Two services, of which the first one asks for a pause, and the next one only fails.
#[tokio::test]
async fn the_longest_pause_that_a_service_asks_for_counts() -> Result<()> {
    let (service, away) = (Service::started(Method::Ws, &[]).await?, Service::reserve(Method::Poll)?);
    let browser = Browser::start("en").await?;
    open_at(&browser, &service).await?;
    let elsewhere = away.url("").replace("http", "ws");
    browser
        .run(&format!("window.WebSocket = class extends WebSocket {{ constructor() {{ super('{elsewhere}') }} }}"))
        .await?;
    let init = "{ status: 503, headers: { 'Retry-After': 100 } }";
    answer_in_between(&browser, &service.url(""), "'{}'", init).await?;
    browser
        .run(&format!(
            "window.pauses = []; window.rounds = 0;
            push.subscribe({{ share: false, ws: '/', poll: '{}', onState(state, {{ until, method }}) {{
                if (state === 'waiting') pauses.push(until - Date.now());
                else if (method === 'ws') rounds += 1;
            }} }})",
            away.url("")
        ))
        .await?;
    let pause = browser.until("pauses[0]").await?;
    // It has begun when the first one answered. The random time of a first failure is a second at most.
    assert!(pause.as_f64().is_some_and(|pause| (90_000.0..=101_000.0).contains(&pause)), "{pause}");

    // A page that is shown again respects it, as a tab that joins does; another network is asked at once.
    browser
        .run("document.dispatchEvent(new Event('visibilitychange')); document.dispatchEvent(new Event('resume'))")
        .await?;
    assert_eq!(browser.value("rounds").await?, 1);
    browser.run("window.fetch = direct").await?;
    browser.run("dispatchEvent(new Event('online'))").await?;
    browser.until("pauses.length === 2").await?;
    let next = browser.value("pauses[1]").await?;
    assert!(next.as_f64().is_some_and(|next| next < 5000.0), "{next} was asked for in the round before");
    Ok(())
}

/// A timer of a browser goes off at once if it is set for more than 24 days.
#[tokio::test]
async fn no_pause_that_something_asks_for_is_too_long_or_too_short_for_a_timer() -> Result<()> {
    let service = Service::started(Method::Poll, &[]).await?;
    let browser = Browser::start("en").await?;
    for (asked, (from, to)) in [("2592000", (86_390_000.0, 86_402_000.0)), ("-1", (-100.0, 1000.0))] {
        open_at(&browser, &service).await?;
        let init = format!("{{ status: 503, headers: {{ 'Retry-After': '{asked}' }} }}");
        answer_in_between(&browser, &service.url(""), "'{}'", &init).await?;
        let state = "onState(state, { until }) { if (state === 'waiting') pauses.push(until - Date.now()) }";
        browser.run(&format!("window.pauses = []; push.subscribe({{ share: false, poll: '/', {state} }})")).await?;
        let pause = browser.until("pauses[0]").await?;
        assert!(pause.as_f64().is_some_and(|pause| (from..=to).contains(&pause)), "{asked}: {pause}");
    }
    Ok(())
}

#[tokio::test]
async fn a_topic_that_the_token_does_not_cover_is_refused_once() -> Result<()> {
    let token = token_with(nothing());
    for method in Method::ALL {
        let options = format!("topics: ['b.c'], token: '{token}'");
        let (error, _) = refused(method, &[&format!("--jwt-secret={SECRET}")], &options).await?;
        assert_eq!((&error["status"], &error["code"]), (&json!(403), &json!("forbidden")), "{method:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_bad_topic_or_cursor_is_refused_once() -> Result<()> {
    for method in Method::ALL {
        let (error, _) = refused(method, &[], "topics: ['a..b']").await?;
        assert_eq!((&error["status"], &error["code"]), (&json!(400), &json!("bad_topic")), "{method:?}");
        let (error, _) = refused(method, &[], "since: 'yesterday'").await?;
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
    follow(&browser, &format!("{{ ws: '{}', sse: '{}' }}", closed.url(""), open.url(""))).await?;
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
