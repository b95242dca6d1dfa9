//! The announcements for a screen reader, and the focus, which stays where a person is.

use anyhow::Result;
use e2e::browser::{Browser, Key};
use e2e::service::{Method, Service};
use serde_json::json;

use crate::debug::Stage;
use crate::{LIST, STATE, open_page, part, until_all_open, until_text};

/// Notes each text that is read out.
const NOTE: &str = "window.read = [];
    const region = document.getElementById('announcements');
    new MutationObserver(() => region.textContent && read.push(region.textContent)).observe(region, { childList: true });";

#[tokio::test]
async fn a_burst_is_read_out_as_one_sentence() -> Result<()> {
    let service = Service::started(Method::Ws, &[]).await?;
    let browser = open_page(&service).await?;
    browser.run(NOTE).await?;
    // The list itself is not read out.
    let log = "(({ role, ariaLive }) => [role, ariaLive])(document.querySelector('#messages').parentElement)";
    assert_eq!(browser.value(log).await?, json!(["log", "off"]));
    service.publish("alone").await?;
    browser.until("read.length === 1").await?;
    for number in 1..=5 {
        service.publish_together("main", &format!("burst {number},"), 20).await?;
    }
    // A slow machine may need a second sentence for what came late.
    browser.until("read.at(-1).endsWith(' messages, the latest: burst 5, 20')").await?;
    let sum = "read.slice(1).map((text) => parseInt(text)).reduce((sum, count) => sum + count)";
    assert_eq!(browser.value(sum).await?, 100);
    let count = browser.value("read.length").await?;
    assert!(count.as_u64().is_some_and(|count| count <= 3), "{count}");
    assert_eq!(browser.value("read[0]").await?, "alone");
    Ok(())
}

#[tokio::test]
async fn the_three_columns_are_read_out_together() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let services = Service::all_three(&[&format!("--data={}", directory.path().display())]).await?;
    let browser = Browser::start("en").await?;
    browser.open(&services[0].url("/compare")).await?;
    until_all_open(&browser).await?;
    browser.run(NOTE).await?;
    services[0].publish_together("main", "burst", 20).await?;
    for method in Method::ALL {
        browser.until_row(&part(method, ".messages"), "burst 20").await?;
    }
    // A slow machine may need a second sentence for what came late.
    let numbers =
        "read.map((text) => text.match(/WebSocket (\\d+), long polling (\\d+), SSE (\\d+)/)?.slice(1).map(Number))";
    let sums =
        format!("{numbers}.reduce((sums, numbers) => sums.map((sum, index) => sum + numbers[index]), [0, 0, 0])");
    browser.until(&format!("{sums}.join() === '20,20,20'")).await?;
    let count = browser.value("read.length").await?;
    assert!(count.as_u64().is_some_and(|count| count <= 2), "{count}");
    Ok(())
}

#[tokio::test]
async fn the_focus_stays_while_messages_come() -> Result<()> {
    let service = Service::started(Method::Sse, &[]).await?;
    let browser = open_page(&service).await?;
    service.publish("one").await?;
    browser.until_row(LIST, "one").await?;
    browser.run("document.querySelector('#messages .copy').focus()").await?;
    service.publish("two").await?;
    browser.until_row(LIST, "two").await?;
    assert_eq!(browser.value("document.activeElement.closest('li')?.querySelector('.text').textContent").await?, "one");
    // Of all copy buttons the key Tab reaches one: that on which the person is, and else the latest.
    let stops = "[...document.querySelectorAll('#messages .copy')].map((button) => button.tabIndex)";
    assert_eq!(browser.value(stops).await?, json!([-1, 0]));
    browser.run("document.getElementById('cut').focus()").await?;
    service.publish("three").await?;
    browser.until_row(LIST, "three").await?;
    assert_eq!(browser.value(stops).await?, json!([0, -1, -1]));

    for (button, state) in [("disconnect", "closed"), ("connect", "open")] {
        browser.run(&format!("document.getElementById('{button}').focus()")).await?;
        browser.press(Key::Enter).await?;
        browser.until_state(STATE, state).await?;
        assert_eq!(browser.value("document.activeElement.id").await?, button);
    }
    Ok(())
}

#[tokio::test]
async fn the_focus_stays_in_the_table_of_readers() -> Result<()> {
    let stage = Stage::set().await?;
    let (one, mut other) = (stage.follow().await, stage.follow().await);
    let (address, of_other) = (one.local_address(), other.local_address());
    let browser = Browser::start("en").await?;
    browser.open(&stage.page()).await?;
    browser.until("document.querySelectorAll('#slowest button').length === 2").await?;
    let button = |address| format!("button[aria-label='Disconnect {address}']");
    browser.run(&format!("document.querySelector(\"{}\").focus()", button(of_other))).await?;
    // Drawn anew in another language.
    browser.run("document.getElementById('language').value = 'zh-CN'; document.getElementById('language').dispatchEvent(new Event('change'))").await?;
    let name = browser.value("document.activeElement.getAttribute('aria-label')").await?;
    assert_eq!(name, format!("断开 {of_other}"));
    browser.press(Key::Enter).await?;
    other.read_to_end().await;
    until_text(&browser, "#ended", &format!("{of_other} 已断开")).await?;
    browser.until("document.querySelectorAll('#slowest button').length === 1").await?;
    browser.until("document.activeElement.getAttribute('role') === 'region'").await?;
    assert!(browser.text("#slowest").await?.contains(&address.to_string()));

    browser.run("document.getElementById('refresh').focus()").await?;
    browser.press(Key::Enter).await?;
    browser.until("document.getElementById('refresh').getAttribute('aria-disabled') === 'false'").await?;
    assert_eq!(browser.value("document.activeElement.id").await?, "refresh");
    Ok(())
}
