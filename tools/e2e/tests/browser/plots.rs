//! The plots of `/compare`, and the notes on how its numbers are counted.

use anyhow::{Context, Result};
use e2e::browser::{Browser, Key};
use e2e::service::{Method, Service};

use crate::{part, until_all_open};

/// The number that a plot's name has for each method, in the order of [`Method::ALL`].
async fn numbers(browser: &Browser, plot: &str) -> Result<[f64; 3]> {
    let name = browser.value(&format!("document.querySelector('#plot-{plot} svg').getAttribute('aria-label')")).await?;
    let name = name.as_str().context("the plot has a name")?;
    let number = |before: &str| {
        let rest = name.split_once(before)?.1;
        let digits = rest.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
        digits.parse().ok()
    };
    let numbers = ["WebSocket ", "long polling ", "SSE "].map(number);
    let [Some(ws), Some(poll), Some(sse)] = numbers else { anyhow::bail!("numbers are missing in {name}") };
    Ok([ws, poll, sse])
}

/// Waits until a plot has drawn each method, and so that its name has a number for each.
async fn until_drawn(browser: &Browser, plot: &str) -> Result<()> {
    let paths = format!("[...document.querySelectorAll('#plot-{plot} svg [data-method]')]");
    browser.until(&format!("{paths}.length >= 3 && {paths}.every((path) => path.getAttribute('d'))")).await?;
    Ok(())
}

#[tokio::test]
async fn every_tick_is_in_each_column_and_in_the_plots() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let data = format!("--data={}", directory.path().display());
    let services = Service::all_three(&["--tick=200ms", &data]).await?;
    let browser = Browser::start("en").await?;
    browser.open(&services[2].url("/compare")).await?;
    until_all_open(&browser).await?;
    let none = "document.querySelector('#plot-bytes svg').getAttribute('aria-label')";
    browser.until(&format!("{none}.startsWith('Bytes per message: WebSocket ')")).await?;
    for plot in ["delay", "bytes", "requests"] {
        until_drawn(&browser, plot).await?;
    }
    for method in Method::ALL {
        browser.until(&format!("document.querySelectorAll('{}').length >= 10", part(method, ".messages > li"))).await?;
    }
    // A dot for each message: the marks begin with M.
    let dots = "[...document.querySelectorAll('#plot-delay svg [data-method]')]
        .every((path) => path.getAttribute('d').split('M').length > 5)";
    browser.until(dots).await?;

    let [ws, poll, sse] = numbers(&browser, "bytes").await?;
    assert!(ws > 50.0 && sse > 50.0 && poll > ws.max(sse), "bytes per message: {ws} {poll} {sse}");
    let [ws, poll, sse] = numbers(&browser, "requests").await?;
    assert!(ws < 0.6 && sse < 0.6 && poll > ws.max(sse), "requests per message: {ws} {poll} {sse}");
    let delays = numbers(&browser, "delay").await?;
    assert!(delays.iter().all(|delay| (0.0..5000.0).contains(delay)), "{delays:?}");

    // The same messages are in all three, SSE included, from the first that all of them have.
    let ids = "[...document.querySelectorAll('.messages')].map((list) =>
        [...list.children].map((row) => Number(row.dataset.id.split('-')[1])))";
    let same = format!(
        "((lists) => {{
            const first = Math.max(...lists.map((list) => Math.min(...list)));
            const last = Math.min(...lists.map((list) => Math.max(...list)));
            const all = lists.map((list) => list.filter((id) => id >= first && id <= last).join());
            return last - first >= 5 && new Set(all).size === 1;
        }})({ids})"
    );
    assert_eq!(browser.value(&same).await?, true);
    Ok(())
}

#[tokio::test]
async fn the_notes_open_on_request() -> Result<()> {
    let services = Service::all_three(&[]).await?;
    let browser = Browser::start("en").await?;
    browser.open(&services[0].url("/compare")).await?;
    until_all_open(&browser).await?;
    let shown = "[...document.querySelectorAll('.notes li')].filter((note) => note.checkVisibility()).length";
    assert_eq!(browser.value(shown).await?, 0);
    browser.run("document.querySelector('.notes summary').focus()").await?;
    browser.press(Key::Enter).await?;
    browser.until(&format!("{shown} === 5")).await?;
    Ok(())
}
