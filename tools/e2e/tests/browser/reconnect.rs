//! After the network is cut or a service is restarted, nothing is lost, or the page reports it.

use e2e::browser::{Browser, Row, message};
use e2e::proxy::Proxy;
use e2e::service::{Method, Service};

use crate::{LIST, STATE, open_page};

#[tokio::test]
async fn a_cut_loses_nothing_on_websocket() -> anyhow::Result<()> {
    survives_cuts(Method::Ws).await
}

#[tokio::test]
async fn a_cut_loses_nothing_on_long_polling() -> anyhow::Result<()> {
    survives_cuts(Method::Poll).await
}

#[tokio::test]
async fn a_cut_loses_nothing_on_server_sent_events() -> anyhow::Result<()> {
    survives_cuts(Method::Sse).await
}

async fn survives_cuts(method: Method) -> anyhow::Result<()> {
    let service = Service::started(method, &[]).await?;
    let mut proxy = Proxy::start(service.address()).await?;
    let browser = Browser::start("en").await?;
    browser.open(&proxy.url("/")).await?;
    browser.until_state(STATE, "open").await?;
    let mut expected = Vec::new();
    browser
        .run(
            "window.shown = [];
            const state = document.getElementById('state');
            new MutationObserver(() => shown.push(state.textContent))
                .observe(state, { childList: true, characterData: true, subtree: true });",
        )
        .await?;

    // Cut before the first message has arrived, and healed before the page reconnects.
    proxy.cut();
    browser.until("shown.some((text) => text.startsWith('Connection lost, reconnecting'))").await?;
    publish(&service, "during the first cut", &mut expected).await?;
    proxy.mend();
    browser.until_state(STATE, "open").await?;
    assert_eq!(browser.until_row(LIST, "during the first cut, 3").await?, expected);

    // Cut until after the page has tried in vain.
    proxy.cut();
    publish(&service, "during the second cut", &mut expected).await?;
    proxy.refusal().await?;
    browser.until("document.getElementById('state').textContent.startsWith('Not reachable, trying again')").await?;
    publish(&service, "still cut", &mut expected).await?;
    proxy.mend();
    browser.until_state(STATE, "open").await?;
    publish(&service, "after it", &mut expected).await?;
    assert_eq!(browser.until_row(LIST, "after it, 3").await?, expected);
    Ok(())
}

async fn publish(service: &Service, text: &str, expected: &mut Vec<Row>) -> anyhow::Result<()> {
    for number in 1..=3 {
        let text = format!("{text}, {number}");
        service.publish(&text).await?;
        expected.push(message(&text));
    }
    Ok(())
}

#[tokio::test]
async fn a_restart_is_reported_on_websocket() -> anyhow::Result<()> {
    reports_a_restart(Method::Ws).await
}

#[tokio::test]
async fn a_restart_is_reported_on_long_polling() -> anyhow::Result<()> {
    reports_a_restart(Method::Poll).await
}

#[tokio::test]
async fn a_restart_is_reported_on_server_sent_events() -> anyhow::Result<()> {
    reports_a_restart(Method::Sse).await
}

async fn reports_a_restart(method: Method) -> anyhow::Result<()> {
    let mut service = Service::started(method, &[]).await?;
    let browser = open_page(&service).await?;
    service.publish("before").await?;
    browser.until_row(LIST, "before").await?;

    service.stop().await?;
    browser.until("/^(Connection lost|Not reachable)/.test(document.getElementById('state').textContent)").await?;

    service.start(&[]).await?;
    browser.until_state(STATE, "open").await?;
    browser.until("document.querySelector('#messages [data-kind=gap]')").await?;
    service.publish("after").await?;
    let rows = [message("before"), Row::Gap("epoch".to_owned()), message("after")];
    assert_eq!(browser.until_row(LIST, "after").await?, rows);
    let gap = browser.text("#messages [data-kind=gap]").await?;
    assert!(gap.contains("Messages are missing here") && gap.contains("may have restarted"), "{gap}");

    // The gap is reported once: after another reconnect nothing is missing.
    browser.click("#disconnect").await?;
    browser.click("#connect").await?;
    browser.until_state(STATE, "open").await?;
    service.publish("the last").await?;
    let rows: Vec<Row> = rows.into_iter().chain([message("the last")]).collect();
    assert_eq!(browser.until_row(LIST, "the last").await?, rows);
    Ok(())
}
