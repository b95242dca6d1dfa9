//! Messages come once and in order, or a gap does, however connections end.

use anyhow::Result;
use e2e::browser::Browser;
use e2e::proxy::Conduct;
use e2e::service::{Method, Service};
use serde_json::{Value, json};

use super::{Stage, follow_directly, open_at, states, texts, until_text};

/// The cuts of a series.
const CUTS: usize = 25;

/// Cuts the connection again and again while messages are published. Returns what was published and what was received.
async fn cut_again_and_again(method: Method, flags: &[&str], burst: usize) -> Result<(Vec<String>, Vec<String>)> {
    let stage = Stage::set(method, flags).await?;
    stage.follow("").await?;
    let Stage { service, proxy, browser } = stage;
    let mut published = Vec::new();
    let waits = "seen.one.states.filter((state) => state === 'waiting').length";
    for cut in 0..CUTS {
        let waited = browser.value(waits).await?;
        for number in 0..burst {
            published.push(format!("{cut}.{number}"));
            service.publish(&format!("{cut}.{number}")).await?;
            // At other moments of the burst each time.
            if number == cut % burst {
                proxy.cut();
            }
        }
        if cut % 3 == 0 {
            browser.until(&format!("{waits} > {waited}")).await?;
        }
        proxy.mend();
        if cut % 2 == 0 {
            until_text(&browser, &format!("{cut}.{}", burst - 1)).await?;
        }
    }
    published.push("the last".to_owned());
    service.publish("the last").await?;
    let received = until_text(&browser, "the last").await?;
    assert_eq!(
        browser.value("seen.one.subscription.cursor").await?,
        browser.value("seen.one.messages.at(-1).id").await?
    );
    Ok((published, received))
}

async fn a_series_of_cuts_loses_nothing(method: Method) -> Result<()> {
    let (published, received) = cut_again_and_again(method, &[], 6).await?;
    assert_eq!(received, published);
    Ok(())
}

#[tokio::test]
async fn a_series_of_cuts_loses_nothing_by_websocket() -> Result<()> {
    a_series_of_cuts_loses_nothing(Method::Ws).await
}

#[tokio::test]
async fn a_series_of_cuts_loses_nothing_by_server_sent_events() -> Result<()> {
    a_series_of_cuts_loses_nothing(Method::Sse).await
}

#[tokio::test]
async fn a_series_of_cuts_loses_nothing_by_polling() -> Result<()> {
    a_series_of_cuts_loses_nothing(Method::Poll).await
}

/// With a history of three, cuts lose messages: each that is missing is missing at a gap.
async fn what_cuts_lose_is_reported(method: Method) -> Result<()> {
    let (published, received) = cut_again_and_again(method, &["--history=3"], 8).await?;
    let mut expected = published.iter().peekable();
    let mut may_skip = false;
    for text in &received {
        if text == "gap" {
            may_skip = true;
            continue;
        }
        while expected.peek().is_some_and(|next| *next != text) {
            assert!(may_skip, "{:?} is missing before {text} without a gap in {received:?}", expected.peek());
            expected.next();
        }
        assert!(expected.next().is_some(), "{text} is out of order or comes twice in {received:?}");
        may_skip = false;
    }
    assert!(received.len() < published.len() && received.iter().any(|text| text == "gap"), "{received:?}");
    Ok(())
}

#[tokio::test]
async fn what_cuts_lose_is_reported_by_websocket() -> Result<()> {
    what_cuts_lose_is_reported(Method::Ws).await
}

#[tokio::test]
async fn what_cuts_lose_is_reported_by_server_sent_events() -> Result<()> {
    what_cuts_lose_is_reported(Method::Sse).await
}

#[tokio::test]
async fn what_cuts_lose_is_reported_by_polling() -> Result<()> {
    what_cuts_lose_is_reported(Method::Poll).await
}

#[tokio::test]
pub(super) async fn a_message_is_the_same_object_by_each_method() -> Result<()> {
    let browser = Browser::start("en").await?;
    for method in Method::ALL {
        let service = follow_directly(&browser, method, "topics: ['orders.*', 'news']").await?;
        for (topic, body) in [
            ("orders.new", json!({ "text": "two\nlines", "event": "订单" })),
            ("other", json!({ "text": "not followed" })),
            ("news", json!({ "text": "" })),
        ] {
            let request = testkit::client().post(service.url(&format!("/messages?topic={topic}"))).json(&body);
            request.send().await?.error_for_status()?;
        }
        browser.until("seen.one.messages.length === 2").await?;
        let mut messages: Value = browser.value("seen.one.messages").await?;
        for message in messages.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            for name in ["id", "at"] {
                assert!(message.remove(name).is_some_and(|value| value.is_string()), "{method:?}: {name}");
            }
        }
        let expected = json!([
            { "topic": "orders.new", "text": "two\nlines", "event": "订单" },
            { "topic": "news", "text": "" },
        ]);
        assert_eq!(messages, expected, "{method:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_subscription_begins_where_since_says() -> Result<()> {
    let browser = Browser::start("en").await?;
    for method in Method::ALL {
        let service = Service::started(method, &[]).await?;
        let first = service.publish("first").await?["id"].clone();
        service.publish("second").await?;
        open_at(&browser, &service).await?;
        for (name, since) in
            [("all", "'earliest'".to_owned()), ("rest", first.to_string()), ("none", "undefined".to_owned())]
        {
            let url = format!("{}: '/', since: {since}", method.name());
            browser.run(&format!("follow('{name}', {{ {url} }})")).await?;
            browser.until(&format!("seen.{name}.state === 'open' && seen.{name}.subscription.cursor")).await?;
        }
        service.publish("third").await?;
        browser.until("Object.values(seen).every(({ texts }) => texts.includes('third'))").await?;
        assert_eq!(texts(&browser, "all").await?, ["first", "second", "third"], "{method:?}");
        assert_eq!(texts(&browser, "rest").await?, ["second", "third"], "{method:?}");
        assert_eq!(texts(&browser, "none").await?, ["third"], "{method:?}");
    }
    Ok(())
}

/// A service that keeps its connections and says nothing is left within 2½ heartbeats, and nothing is lost.
async fn silence_is_noticed(method: Method) -> Result<()> {
    let stage = Stage::set(method, &["--heartbeat=200ms"]).await?;
    stage.follow("").await?;
    stage.service.publish("before").await?;
    stage.until_text("before").await?;
    assert_eq!(states(&stage.browser).await?, ["connecting", "open"]);
    falls_silent(&stage).await
}

/// The service publishes and is not heard until the client has noticed.
async fn falls_silent(stage: &Stage) -> Result<()> {
    stage.proxy.set(Conduct::Silent);
    stage.service.publish("meanwhile").await?;
    stage.until_waiting().await?;
    stage.proxy.mend();
    assert_eq!(stage.until_text("meanwhile").await?, ["before", "meanwhile"]);
    Ok(())
}

#[tokio::test]
async fn silence_is_noticed_by_websocket() -> Result<()> {
    silence_is_noticed(Method::Ws).await
}

#[tokio::test]
async fn silence_is_noticed_by_server_sent_events() -> Result<()> {
    silence_is_noticed(Method::Sse).await
}

/// A poll that is not answered long after the time for which it is held is given up.
#[tokio::test]
async fn silence_is_noticed_by_polling() -> Result<()> {
    let stage = Stage::set(Method::Poll, &[]).await?;
    stage.run(super::HASTY_POLLS).await?;
    stage.follow("").await?;
    stage.service.publish("before").await?;
    stage.until_text("before").await?;
    falls_silent(&stage).await
}

#[tokio::test]
async fn a_new_history_is_a_gap() -> Result<()> {
    let browser = Browser::start("en").await?;
    for method in Method::ALL {
        let mut service = follow_directly(&browser, method, "").await?;
        service.publish("before").await?;
        until_text(&browser, "before").await?;
        service.stop().await?;
        service.start(&[]).await?;
        service.publish("after").await?;
        assert_eq!(until_text(&browser, "after").await?, ["before", "gap", "after"], "{method:?}");
        assert_eq!(browser.value("seen.one.gaps[0].reason").await?, "epoch");
    }
    Ok(())
}

#[tokio::test]
async fn an_error_in_a_callback_keeps_no_message_away() -> Result<()> {
    let browser = Browser::start("en").await?;
    for method in Method::ALL {
        let service = Service::started(method, &[]).await?;
        open_at(&browser, &service).await?;
        let fails = "onMessage({ text }) { got.push(text); throw new Error('of the page') }";
        let open = "onState(state) { window.state = state }";
        browser
            .run(&format!(
                "window.got = []; window.reported = 0; addEventListener('error', () => {{ reported += 1 }});
                push.subscribe({{ share: false, {}: '/', {fails}, {open} }})",
                method.name()
            ))
            .await?;
        browser.until("state === 'open'").await?;
        let http = testkit::client();
        let both = json!([{ "text": "one" }, { "text": "two" }]);
        http.post(service.url("/messages")).json(&both).send().await?.error_for_status()?;
        browser.until("got.length === 2 && reported === 2").await?;
        assert_eq!(browser.value("got").await?, json!(["one", "two"]), "{method:?}");
    }
    Ok(())
}

#[tokio::test]
async fn nothing_comes_after_close() -> Result<()> {
    let browser = Browser::start("en").await?;
    for method in Method::ALL {
        let service = follow_directly(&browser, method, "").await?;
        // The second of two that come together is not handed over once the first has closed the subscription.
        browser
            .run(&format!(
                "window.got = []; window.other = push.subscribe({{ share: false, {}: '/',
                    onMessage({{ text }}) {{ got.push(text); other.close() }},
                    onState(state) {{ got.push(state) }} }})",
                method.name()
            ))
            .await?;
        browser.until("got.includes('open')").await?;
        let both = json!([{ "text": "one" }, { "text": "two" }]);
        testkit::client().post(service.url("/messages")).json(&both).send().await?.error_for_status()?;
        until_text(&browser, "two").await?;
        assert_eq!(browser.value("got").await?, json!(["connecting", "open", "one", "closed"]), "{method:?}");
        assert_eq!(browser.value("typeof other.cursor").await?, "string");
    }
    Ok(())
}
