//! A bad network between page and services, for a while: connections are closed, reset, slowed down and swallowed, in the middle of a frame too.
//!
//! `PUSH_JS_CUTS_SECONDS` lengthens it, and `PUSH_JS_SEED` makes other injuries.

use std::time::Duration;

use anyhow::Result;
use bench::cuts::{Addresses, Proxy as Network};
use e2e::PATIENCE;
use e2e::browser::Browser;
use e2e::service::{Method, Service};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{HASTY_POLLS, follow, length, open_at, texts};

/// The mean time between two injuries of a connection.
const CALM: Duration = Duration::from_millis(250);

/// The time between two messages.
const INTERVAL: Duration = Duration::from_millis(20);

/// The seconds of a test in CI.
const SHORT: u64 = 5;

/// The time for which a poll is left in a hole at most: it is given up after half a minute.
const LONGEST_HOLE: Duration = Duration::from_secs(60);

/// Publishes while the network is bad. Every message has to come once and in order, and there is no gap.
async fn nothing_is_lost(methods: &[Method]) -> Result<()> {
    let seconds = length("PUSH_JS_CUTS_SECONDS", SHORT)?;
    let folder = tempfile::tempdir()?;
    // A poll is in a hole for half a minute, and what is published meanwhile has to be there still.
    let flags = [&*format!("--data={}", folder.path().display()), "--heartbeat=500ms", "--history=100000"];
    let mut services = Vec::new();
    for method in methods {
        services.push(Service::started(*method, &flags).await?);
    }
    let routes = services.iter().map(|service| Addresses::from(service.address()));
    let network = Network::start(routes, length("PUSH_JS_SEED", 3)?, Some(CALM)).await?;
    let browser = Browser::start("en").await?;
    open_at(&browser, &services[0]).await?;
    if seconds <= SHORT {
        browser.run(HASTY_POLLS).await?;
    }
    let urls =
        methods.iter().enumerate().map(|(n, method)| format!("{}: 'http://{}'", method.name(), network.address(n)));
    follow(&browser, &format!("{{ {} }}", urls.collect::<Vec<_>>().join(", "))).await?;

    network.injure(true);
    let (http, end) = (testkit::client(), Instant::now() + Duration::from_secs(seconds));
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut published = Vec::new();
    while Instant::now() < end {
        ticks.tick().await;
        let service = &services[published.len() % services.len()];
        let text = format!("{}", published.len());
        http.post(service.url("/messages")).body(text.clone()).send().await?.error_for_status()?;
        published.push(text);
    }
    network.injure(false);
    services[0].publish("the last").await?;
    published.push("the last".to_owned());
    browser.until_within(PATIENCE + LONGEST_HOLE, "seen.one.texts.includes('the last')").await?;

    let received = texts(&browser, "one").await?;
    let first = published.iter().zip(&received).position(|(one, other)| one != other);
    if let Some(place) = first {
        let around = |texts: &[String]| texts.iter().skip(place.saturating_sub(2)).take(5).cloned().collect::<Vec<_>>();
        panic!("from {place} on, {:?} came in place of {:?}", around(&received), around(&published));
    }
    assert_eq!(received.len(), published.len());
    let injuries = network.injuries();
    let opened = browser.value("seen.one.methods").await?;
    println!("{methods:?}: {} messages, {injuries:?}, opened by {opened}", published.len());
    // A poll is in a hole for half a minute, in which nothing else can befall it.
    assert!(injuries.closed + injuries.reset + injuries.black_holes >= seconds / 4, "{injuries:?}");
    Ok(())
}

#[tokio::test]
async fn a_bad_network_loses_nothing_by_websocket() -> Result<()> {
    nothing_is_lost(&[Method::Ws]).await
}

#[tokio::test]
async fn a_bad_network_loses_nothing_by_server_sent_events() -> Result<()> {
    nothing_is_lost(&[Method::Sse]).await
}

#[tokio::test]
async fn a_bad_network_loses_nothing_by_polling() -> Result<()> {
    nothing_is_lost(&[Method::Poll]).await
}

#[tokio::test]
pub(super) async fn a_bad_network_loses_nothing_by_all_three() -> Result<()> {
    nothing_is_lost(&Method::ALL).await
}
