//! The page `/compare`, with the three services side by side.

use e2e::browser::{Browser, Row, message};
use e2e::service::{Method, Service};

use crate::{part, until_all_open};

/// The line that says which histories there are.
const HISTORIES: &str = "#histories";

async fn number(browser: &Browser, method: Method, what: &str) -> anyhow::Result<i64> {
    let element = part(method, what);
    let value = browser.value(&format!("Number(document.querySelector({element:?}).dataset.value)")).await?;
    value.as_i64().ok_or_else(|| anyhow::anyhow!("{element} shows {value}"))
}

/// Waits until the page has found out how many histories there are.
async fn until_histories(browser: &Browser, count: usize) -> anyhow::Result<()> {
    browser.until(&format!("document.querySelector({HISTORIES:?}).dataset.count === '{count}'")).await?;
    Ok(())
}

/// The number of publications that the page has sent.
async fn publications(browser: &Browser) -> anyhow::Result<serde_json::Value> {
    let sent = "performance.getEntriesByType('resource').filter((one) => /\\/messages\\?topic=main$/.test(one.name))";
    browser.value(&format!("{sent}.length")).await
}

async fn publish(browser: &Browser, text: &str) -> anyhow::Result<()> {
    browser.fill("#publish-text", text).await?;
    browser.click("#publish-send").await
}

#[tokio::test]
async fn one_press_reaches_each_column_once() -> anyhow::Result<()> {
    let services = Service::all_three(&[]).await?;
    let browser = Browser::start("en").await?;
    for (method, service) in Method::ALL.into_iter().zip(&services) {
        // Every service serves the same page.
        browser.open(&service.url("/compare")).await?;
        until_all_open(&browser).await?;
        let bytes = number(&browser, method, ".bytes").await?;

        let texts = ["one", "two", "three"];
        for text in texts {
            publish(&browser, text).await?;
            for method in Method::ALL {
                browser.until_row(&part(method, ".messages"), text).await?;
            }
        }
        for method in Method::ALL {
            assert_eq!(browser.rows(&part(method, ".messages")).await?, texts.map(message), "{method:?}");
            assert_eq!(number(&browser, method, ".count").await?, 3, "{method:?}");
            let delay = part(method, ".numbers .delay");
            browser.until(&format!("Number(document.querySelector({delay:?}).dataset.median) >= 0")).await?;
        }
        assert!(number(&browser, method, ".bytes").await? > bytes);

        // One connection lasts; a poll is answered and sent again.
        let [ws, poll, sse] = Method::ALL;
        assert_eq!(number(&browser, ws, ".requests").await?, 1);
        assert_eq!(number(&browser, sse, ".requests").await?, 1);
        assert!(number(&browser, poll, ".requests").await? >= 4);
        let bytes = [
            number(&browser, sse, ".bytes").await?,
            number(&browser, ws, ".bytes").await?,
            number(&browser, poll, ".bytes").await?,
        ];
        let [events, frames, answers] = bytes;
        assert!(events > 0 && frames > 0 && answers > events.max(frames), "events, frames, answers: {bytes:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_history_in_a_directory_is_published_to_once() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let data = format!("--data={}", directory.path().display());
    let mut services = Service::all_three(&[&data]).await?;
    for (languages, says) in [
        ("zh-CN", "三个服务共用一份历史：每条消息只发布一次，三列都会收到。"),
        ("en", "The three services share one history: a message is published once and reaches all three columns."),
    ] {
        let browser = Browser::start(languages).await?;
        browser.open(&services[2].url("/compare")).await?;
        until_histories(&browser, 1).await?;
        assert_eq!(browser.text(HISTORIES).await?, says);
        for (text, sent) in [("first", 1), ("second", 2)] {
            publish(&browser, text).await?;
            for method in Method::ALL {
                browser.until_row(&part(method, ".messages"), text).await?;
                let delay = part(method, ".numbers .delay");
                browser.until(&format!("Number(document.querySelector({delay:?}).dataset.median) >= 0")).await?;
            }
            assert_eq!(publications(&browser).await?, sent);
        }
        for method in Method::ALL {
            assert_eq!(browser.rows(&part(method, ".messages")).await?, ["first", "second"].map(message), "{method:?}");
        }
    }

    // One that is down is passed over, and has the message when it is back.
    let browser = Browser::start("en").await?;
    browser.open(&services[2].url("/compare")).await?;
    until_histories(&browser, 1).await?;
    services[0].stop().await?;
    browser.until_state(&part(Method::Ws, ".state"), "waiting").await?;
    publish(&browser, "meanwhile").await?;
    for method in [Method::Poll, Method::Sse] {
        browser.until_row(&part(method, ".messages"), "meanwhile").await?;
    }
    services[0].start(&[&data]).await?;
    assert_eq!(browser.until_row(&part(Method::Ws, ".messages"), "meanwhile").await?, [message("meanwhile")]);
    assert_eq!(publications(&browser).await?, 1);
    assert_eq!(browser.text(&part(Method::Ws, ".error")).await?, "");
    Ok(())
}

#[tokio::test]
async fn histories_apart_are_published_to_each() -> anyhow::Result<()> {
    let services = Service::all_three(&[]).await?;
    let browser = Browser::start("en").await?;
    browser.open(&services[0].url("/compare")).await?;
    until_histories(&browser, 3).await?;
    let says = "The three services have 3 histories: a message is published once to each.";
    assert_eq!(browser.text(HISTORIES).await?, says);
    publish(&browser, "to each").await?;
    for method in Method::ALL {
        assert_eq!(browser.until_row(&part(method, ".messages"), "to each").await?, [message("to each")]);
    }
    assert_eq!(publications(&browser).await?, 3);
    Ok(())
}

#[tokio::test]
async fn of_two_that_share_a_history_one_is_published_to() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let data = format!("--data={}", directory.path().display());
    let mut services = Service::all_three(&[]).await?;
    let peers: Vec<String> =
        services.iter().map(|service| format!("--peer-{}={}", service.method().name(), service.url(""))).collect();
    let flags: Vec<&str> = peers.iter().map(String::as_str).chain([data.as_str()]).collect();
    let browser = Browser::start("en").await?;
    browser.open(&services[1].url("/compare")).await?;
    until_histories(&browser, 3).await?;
    // The page notices that two have another history than before.
    for service in [0, 2] {
        services[service].stop().await?;
        services[service].start(&flags).await?;
    }
    until_histories(&browser, 2).await?;
    publish(&browser, "to each").await?;
    for method in Method::ALL {
        let rows = browser.until_row(&part(method, ".messages"), "to each").await?;
        let gap = (method != Method::Poll).then(|| Row::Gap("epoch".to_owned()));
        assert_eq!(rows, gap.into_iter().chain([message("to each")]).collect::<Vec<_>>(), "{method:?}");
    }
    assert_eq!(publications(&browser).await?, 2);
    Ok(())
}

#[tokio::test]
async fn a_message_with_an_event_name_is_in_each_column() -> anyhow::Result<()> {
    let services = Service::all_three(&[]).await?;
    let browser = Browser::start("en").await?;
    browser.open(&services[0].url("/compare?topic=orders.new")).await?;
    until_all_open(&browser).await?;
    for service in &services {
        let http = testkit::client();
        let message = serde_json::json!({ "text": "two\nlines", "event": "订单 1" });
        let answer = http.post(service.url("/messages?topic=orders.new")).json(&message).send().await?;
        answer.error_for_status()?;
    }
    for method in Method::ALL {
        assert_eq!(browser.until_row(&part(method, ".messages"), "two\nlines").await?, [message("two\nlines")]);
        assert_eq!(browser.text(&part(method, ".messages .event")).await?, "event 订单 1", "{method:?}");
        assert_eq!(browser.text(&part(method, ".messages .topic")).await?, "topic orders.new", "{method:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_burst_arrives_in_order() -> anyhow::Result<()> {
    let services = Service::all_three(&[]).await?;
    let browser = Browser::start("en").await?;
    browser.open(&services[0].url("/compare")).await?;
    until_all_open(&browser).await?;
    browser.fill("#publish-text", "burst").await?;
    browser.click("#publish-burst").await?;
    let burst: Vec<Row> = (1..=10).map(|number| message(&format!("burst {number}"))).collect();
    for method in Method::ALL {
        assert_eq!(browser.until_row(&part(method, ".messages"), "burst 10").await?, burst, "{method:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_loss_is_reported_in_each_column() -> anyhow::Result<()> {
    // Of the ten messages, published at once, no more than eight are held.
    let services = Service::all_three(&["--history=8"]).await?;
    let browser = Browser::start("en").await?;
    browser.open(&services[0].url("/compare")).await?;
    until_all_open(&browser).await?;
    browser.fill("#publish-text", "burst").await?;
    browser.click("#publish-burst").await?;
    let gap = std::iter::once(Row::Gap("lagged".to_owned()));
    let rest: Vec<Row> = gap.chain((3..=10).map(|number| message(&format!("burst {number}")))).collect();
    for method in Method::ALL {
        assert_eq!(browser.until_row(&part(method, ".messages"), "burst 10").await?, rest, "{method:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_service_that_is_down_leaves_the_others_alone() -> anyhow::Result<()> {
    let mut services = Service::all_three(&[]).await?;
    let browser = Browser::start("en").await?;
    browser.open(&services[0].url("/compare")).await?;
    until_all_open(&browser).await?;
    publish(&browser, "all").await?;
    for method in Method::ALL {
        browser.until_row(&part(method, ".messages"), "all").await?;
    }

    let [ws, poll, sse] = &mut services;
    poll.stop().await?;
    browser.until_state(&part(Method::Poll, ".state"), "waiting").await?;
    publish(&browser, "two of three").await?;
    for method in [Method::Ws, Method::Sse] {
        let rows = browser.until_row(&part(method, ".messages"), "two of three").await?;
        assert_eq!(rows, ["all", "two of three"].map(message));
        assert_eq!(browser.text(&part(method, ".state")).await?, "Connected");
    }
    let error = part(Method::Poll, ".error");
    browser.until(&format!("document.querySelector({error:?}).textContent.includes('did not answer')")).await?;
    assert_eq!(browser.rows(&part(Method::Poll, ".messages")).await?, [message("all")]);

    // The page is as useful if it is opened while the service is down.
    for service in [ws, sse] {
        browser.open(&service.url("/compare")).await?;
        browser.until_state(&part(Method::Ws, ".state"), "open").await?;
        browser.until_state(&part(Method::Sse, ".state"), "open").await?;
        let state = part(Method::Poll, ".state");
        let shown = format!("document.querySelector({state:?}).textContent");
        browser.until(&format!("{shown}.startsWith('Not reachable, trying again')")).await?;
    }

    let peers: Vec<String> =
        services.iter().map(|service| format!("--peer-{}={}", service.method().name(), service.url(""))).collect();
    let peers: Vec<&str> = peers.iter().map(String::as_str).collect();
    services[1].start(&peers).await?;
    browser.until_state(&part(Method::Poll, ".state"), "open").await?;
    publish(&browser, "back").await?;
    for method in Method::ALL {
        browser.until_row(&part(method, ".messages"), "back").await?;
    }
    Ok(())
}
