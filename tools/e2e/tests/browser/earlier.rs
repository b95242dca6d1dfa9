//! Messages from before the first one that is shown.

use anyhow::Result;
use e2e::browser::{Browser, Row, message};
use e2e::service::{Method, Service};

use crate::{LIST, STATE, open_page, part, until_all_open, until_text};

const RESULT: &str = "#earlier-result";

fn numbered(text: &str, numbers: std::ops::RangeInclusive<usize>) -> Vec<Row> {
    numbers.map(|number| message(&format!("{text} {number}"))).collect()
}

#[tokio::test]
async fn earlier_messages_are_added_until_the_history_begins() -> Result<()> {
    let browser = Browser::start("en").await?;
    for method in Method::ALL {
        let service = Service::started(method, &[]).await?;
        service.publish_together("main", "old", 120).await?;
        browser.open(&service.url("/")).await?;
        browser.until_state(STATE, "open").await?;
        service.publish("new").await?;
        browser.until_row(LIST, "new").await?;
        let with_new = |mut rows: Vec<Row>| {
            rows.push(message("new"));
            rows
        };

        browser.click("#earlier").await?;
        until_text(&browser, RESULT, "Added below: 50 messages from before.").await?;
        assert_eq!(browser.rows(LIST).await?, with_new(numbered("old", 71..=120)), "{method:?}");
        browser.click("#earlier").await?;
        browser.until_row(LIST, "old 21").await?;
        browser.click("#earlier").await?;
        let text = until_text(&browser, RESULT, "The history begins with the message ").await?;
        let first = browser.value("document.querySelector('#messages > li:last-child').dataset.id").await?;
        assert!(text.contains(first.as_str().unwrap_or("none")), "{text}, and the first is {first}");
        assert_eq!(browser.rows(LIST).await?, with_new(numbered("old", 1..=120)), "{method:?}");
        // There is nothing more to come, and it says so again.
        browser.click("#earlier").await?;
        browser.until("document.getElementById('earlier').getAttribute('aria-disabled') === 'false'").await?;
        assert_eq!(browser.rows(LIST).await?.len(), 121, "{method:?}");
        assert_eq!(browser.text("#count").await?, "1", "it counts what has been received");
    }
    Ok(())
}

#[tokio::test]
async fn a_history_that_no_longer_reaches_back_says_so() -> Result<()> {
    let service = Service::started(Method::Sse, &["--history=30"]).await?;
    service.publish_together("main", "old", 60).await?;
    let browser = open_page(&service).await?;
    browser.click("#earlier").await?;
    until_text(&browser, RESULT, "The history that is kept begins with the message ").await?;
    assert_eq!(browser.rows(LIST).await?, numbered("old", 31..=60));
    Ok(())
}

#[tokio::test]
async fn earlier_messages_are_found_behind_many_of_other_topics() -> Result<()> {
    let service = Service::started(Method::Ws, &[]).await?;
    service.publish_together("rare", "rare", 60).await?;
    service.publish_together("busy", "busy", 900).await?;
    let browser = Browser::start("en").await?;
    browser.open(&service.url("/?topic=rare")).await?;
    browser.until_state(STATE, "open").await?;
    browser.click("#earlier").await?;
    until_text(&browser, RESULT, "Added below: 50 messages").await?;
    assert_eq!(browser.rows(LIST).await?, numbered("rare", 11..=60));
    browser.click("#earlier").await?;
    until_text(&browser, RESULT, "The history begins").await?;
    assert_eq!(browser.rows(LIST).await?, numbered("rare", 1..=60));

    browser.open(&service.url("/?topic=none")).await?;
    browser.until_state(STATE, "open").await?;
    browser.click("#earlier").await?;
    until_text(&browser, RESULT, "The history has no earlier messages.").await?;
    Ok(())
}

#[tokio::test]
async fn messages_of_a_history_before_this_one_are_not_mixed_with_it() -> Result<()> {
    let mut service = Service::started(Method::Ws, &[]).await?;
    service.publish("gone with its history").await?;
    let browser = open_page(&service).await?;
    service.publish("before").await?;
    browser.until_row(LIST, "before").await?;
    service.stop().await?;
    browser.until_state(STATE, "waiting").await?;
    service.start(&[]).await?;
    browser.until("document.querySelector('#messages [data-kind=gap]')").await?;
    service.publish("after").await?;
    browser.until_row(LIST, "after").await?;
    browser.click("#earlier").await?;
    until_text(&browser, RESULT, "The history that is kept begins").await?;
    assert_eq!(browser.rows(LIST).await?, [message("before"), Row::Gap("epoch".to_owned()), message("after")]);
    Ok(())
}

#[tokio::test]
async fn each_column_has_its_earlier_messages() -> Result<()> {
    let services = Service::all_three(&[]).await?;
    for service in &services {
        service.publish_together("main", "old", 3).await?;
    }
    let browser = Browser::start("en").await?;
    browser.open(&services[1].url("/compare")).await?;
    until_all_open(&browser).await?;
    for method in Method::ALL {
        browser.click(&part(method, ".earlier")).await?;
        until_text(&browser, &part(method, ".earlier-result"), "The history begins").await?;
        assert_eq!(browser.rows(&part(method, ".messages")).await?, numbered("old", 1..=3), "{method:?}");
        assert_eq!(browser.text(&part(method, ".count")).await?, "0", "it counts what has been received");
    }
    Ok(())
}
