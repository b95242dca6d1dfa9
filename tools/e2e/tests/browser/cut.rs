//! The network is cut by the button for it: the others go on, and the page catches up.

use anyhow::Result;
use e2e::browser::{Browser, Row, message};
use e2e::nginx::Nginx;
use e2e::service::{Method, Service};
use serde_json::json;

use crate::{LIST, STATE, open_page, part, until_all_open, until_text};

const RESULT: &str = "#cut-result";

/// Presses the button, and waits until the page has lost its connection.
async fn cut(browser: &Browser) -> Result<()> {
    browser.click("#cut").await?;
    until_text(browser, RESULT, "The network is cut;").await?;
    browser.until_state(STATE, "waiting").await
}

async fn catches_up(method: Method) -> Result<()> {
    let service = Service::started(method, &[]).await?;
    let browser = open_page(&service).await?;
    service.publish("before").await?;
    browser.until_row(LIST, "before").await?;

    cut(&browser).await?;
    until_text(&browser, "#cut-countdown", "back in ").await?;
    service.publish_together("main", "missed", 7).await?;
    assert_eq!(browser.rows(LIST).await?, [message("before")]);
    let text = until_text(&browser, RESULT, "Caught up with ").await?;
    let milliseconds = text.strip_prefix("Caught up with 7 messages in ").and_then(|rest| rest.strip_suffix(" ms."));
    assert!(milliseconds.is_some_and(|number| number.replace(',', "").parse::<u32>().is_ok()), "{text}");
    let missed = (1..=7).map(|number| message(&format!("missed {number}")));
    let all: Vec<Row> = std::iter::once(message("before")).chain(missed).collect();
    assert_eq!(browser.rows(LIST).await?, all);
    browser.until_state(STATE, "open").await?;
    assert_eq!(browser.text("#cut-countdown").await?, "");

    cut(&browser).await?;
    until_text(&browser, RESULT, "There was no new message meanwhile").await?;
    browser.until_state(STATE, "open").await?;
    assert_eq!(browser.rows(LIST).await?, all);
    Ok(())
}

#[tokio::test]
async fn a_page_that_was_cut_catches_up_by_websocket() -> Result<()> {
    catches_up(Method::Ws).await
}

#[tokio::test]
async fn a_page_that_was_cut_catches_up_by_long_polling() -> Result<()> {
    catches_up(Method::Poll).await
}

#[tokio::test]
async fn a_page_that_was_cut_catches_up_by_server_sent_events() -> Result<()> {
    catches_up(Method::Sse).await
}

#[tokio::test]
async fn a_page_that_missed_more_than_is_kept_reports_the_gap() -> Result<()> {
    let service = Service::started(Method::Ws, &["--history=2"]).await?;
    let browser = open_page(&service).await?;
    cut(&browser).await?;
    service.publish_together("main", "missed", 5).await?;
    let text = until_text(&browser, RESULT, "Caught up with 2 messages in ").await?;
    assert!(text.ends_with(" ms; a gap reports those that are gone."), "{text}");
    let rows = [Row::Gap("expired".to_owned()), message("missed 4"), message("missed 5")];
    assert_eq!(browser.rows(LIST).await?, rows);
    Ok(())
}

/// The tabs share a connection until one of them is cut.
#[tokio::test]
async fn another_tab_goes_on_meanwhile() -> Result<()> {
    let service = Service::started(Method::Sse, &[]).await?;
    let browser = open_page(&service).await?;
    browser.open_tab().await?;
    browser.open(&service.url("/")).await?;
    browser.until_state(STATE, "open").await?;
    browser
        .run(
            "window.states = [];
            const state = document.getElementById('state');
            new MutationObserver(() => states.push(state.dataset.state)).observe(state, { attributes: true });",
        )
        .await?;
    browser.switch_to_tab(0).await?;
    cut(&browser).await?;
    service.publish("meanwhile").await?;
    browser.switch_to_tab(1).await?;
    browser.until_row(LIST, "meanwhile").await?;
    assert_eq!(browser.value("states.includes('waiting')").await?, false);
    browser.switch_to_tab(0).await?;
    until_text(&browser, RESULT, "Caught up with 1 message in ").await?;
    assert_eq!(browser.rows(LIST).await?, [message("meanwhile")]);
    Ok(())
}

#[tokio::test]
async fn what_is_published_while_cut_is_sent_when_the_network_is_back() -> Result<()> {
    let service = Service::started(Method::Poll, &[]).await?;
    let browser = open_page(&service).await?;
    browser.fill("#publish-text", "from the tunnel").await?;
    browser.run("addEventListener('online', () => { window.backAt = Date.now(); })").await?;
    cut(&browser).await?;
    browser.click("#publish-send").await?;
    until_text(&browser, "#publish-result", "Publishing…").await?;
    until_text(&browser, "#publish-result", "Published, id ").await?;
    assert_eq!(browser.until_row(LIST, "from the tunnel").await?, [message("from the tunnel")]);
    // The service runs on the same clock.
    let published = "Date.parse(document.querySelector('#messages time').dateTime)";
    assert_eq!(browser.value(&format!("{published} >= backAt")).await?, true);
    Ok(())
}

/// Cuts each of the three on `/compare` in turn.
async fn the_other_two_go_on(page: &str) -> Result<()> {
    let browser = Browser::start("en").await?;
    browser.open(page).await?;
    until_all_open(&browser).await?;
    for cut in Method::ALL {
        let text = format!("while {} is cut", cut.name());
        // Published by the page itself: to one of the services that it reaches.
        browser.fill("#publish-text", &text).await?;
        browser.click(&part(cut, ".cut")).await?;
        browser.until_state(&part(cut, ".state"), "waiting").await?;
        browser.click("#publish-send").await?;
        for other in Method::ALL.into_iter().filter(|other| *other != cut) {
            browser.until_row(&part(other, ".messages"), &text).await?;
            assert_eq!(browser.text(&part(other, ".state")).await?, "Connected");
        }
        let behind = format!("[...document.querySelectorAll({:?})]", part(cut, ".messages .text"));
        assert_eq!(
            browser.value(&format!("{behind}.some((row) => row.textContent === {text:?})")).await?,
            json!(false)
        );
        let countdown = part(cut, ".cut-countdown");
        let others = "textContent.endsWith('the others received 1 message')";
        browser.until(&format!("document.querySelector({countdown:?}).{others}")).await?;
        until_text(&browser, &part(cut, ".cut-result"), "Caught up with 1 message in ").await?;
        browser.until_row(&part(cut, ".messages"), &text).await?;
    }
    Ok(())
}

#[tokio::test]
async fn on_compare_the_other_two_go_on() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let services = Service::all_three(&[&format!("--data={}", directory.path().display())]).await?;
    the_other_two_go_on(&services[0].url("/compare")).await
}

/// Behind a proxy, all three have one address.
#[tokio::test]
async fn on_compare_behind_a_proxy_the_other_two_go_on() -> Result<()> {
    const UPGRADES: &str = "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; \
        proxy_set_header Connection $http_connection; proxy_set_header Host $http_host;";
    let directory = tempfile::tempdir()?;
    let [ws, poll, sse] = Method::ALL.map(Service::reserve);
    let mut services = [ws?, poll?, sse?];
    let nginx = Nginx::start(&services, UPGRADES).await?;
    let peers = Method::ALL.map(|method| format!("--peer-{}={}", method.name(), nginx.url("")));
    let data = format!("--data={}", directory.path().display());
    let flags: Vec<&str> = peers.iter().map(String::as_str).chain([&*data]).collect();
    for service in &mut services {
        service.start(&flags).await?;
    }
    the_other_two_go_on(&nginx.url("/compare")).await
}

/// A topic that a person has typed, and not submitted, does not count yet.
#[tokio::test]
async fn a_page_that_was_cut_follows_the_same_topics() -> Result<()> {
    let service = Service::started(Method::Ws, &[]).await?;
    let browser = open_page(&service).await?;
    browser.fill("#topic", "orders.*").await?;
    cut(&browser).await?;
    service.publish("missed").await?;
    until_text(&browser, RESULT, "Caught up with 1 message in ").await?;
    assert_eq!(browser.rows(LIST).await?, [message("missed")]);
    Ok(())
}
