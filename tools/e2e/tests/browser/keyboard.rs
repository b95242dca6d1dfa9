//! `/compare` without a mouse.

use anyhow::{Result, bail};
use e2e::browser::{Browser, Key};
use e2e::service::{Method, Service};

use crate::{part, until_all_open, until_text};

/// More presses than there are places on the page.
const MOST: usize = 60;

/// Presses Tab until an element has the focus, and checks that it shows.
async fn tab_to(browser: &Browser, element: &str) -> Result<()> {
    for _ in 0..MOST {
        browser.press(Key::Tab).await?;
        if browser.value(&format!("document.activeElement.matches({element:?})")).await? == true {
            let shows = "getComputedStyle(document.activeElement).outlineStyle === 'solid' && document.activeElement.checkVisibility()";
            assert_eq!(browser.value(shows).await?, true, "{element}");
            return Ok(());
        }
    }
    bail!("the key Tab does not come to {element}")
}

#[tokio::test]
async fn all_of_compare_is_reached_and_worked_by_keyboard() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let services = Service::all_three(&[&format!("--data={}", directory.path().display())]).await?;
    let browser = Browser::start("en").await?;
    browser.open(&services[0].url("/compare")).await?;
    until_all_open(&browser).await?;

    // In the order of the page.
    tab_to(&browser, "#language").await?;
    browser.press(Key::Up).await?;
    until_text(&browser, "h1", "三种推送方法并排比较").await?;
    browser.press(Key::Down).await?;
    until_text(&browser, "h1", "Three ways to push").await?;
    tab_to(&browser, "#theme").await?;
    browser.press(Key::Down).await?;
    browser.until("document.documentElement.dataset.theme === 'light'").await?;
    tab_to(&browser, "#publish-text").await?;
    browser.type_keys(&format!("typed{}", char::from(Key::Enter))).await?;
    tab_to(&browser, "#publish-send").await?;
    tab_to(&browser, "#publish-burst").await?;
    browser.press(Key::Space).await?;
    for method in Method::ALL {
        browser.until_row(&part(method, ".messages"), "typed").await?;
        browser.until_row(&part(method, ".messages"), "typed 10").await?;
    }
    for method in Method::ALL {
        tab_to(&browser, &part(method, ".toggle")).await?;
        for state in ["closed", "open"] {
            browser.press(Key::Enter).await?;
            browser.until_state(&part(method, ".state"), state).await?;
        }
        tab_to(&browser, &part(method, ".cut")).await?;
        tab_to(&browser, &part(method, ".log")).await?;
        browser.press(Key::End).await?;
        browser.until("document.activeElement.scrollTop > 0").await?;
        tab_to(&browser, &part(method, ".messages .copy")).await?;
        browser.press(Key::Enter).await?;
        browser.until("document.activeElement.textContent === 'Copied'").await?;
        tab_to(&browser, &part(method, ".earlier")).await?;
        browser.press(Key::Enter).await?;
        until_text(&browser, &part(method, ".earlier-result"), "The history begins").await?;
        tab_to(&browser, &part(method, "a.page")).await?;
        tab_to(&browser, &part(method, ".position .copy")).await?;
    }
    tab_to(&browser, ".notes summary").await?;
    browser.press(Key::Enter).await?;
    browser.until("document.querySelector('.notes').open").await?;

    // The network last, since for five seconds nothing else can be done.
    browser.open(&services[0].url("/compare")).await?;
    until_all_open(&browser).await?;
    for method in Method::ALL {
        tab_to(&browser, &part(method, ".cut")).await?;
        browser.press(Key::Space).await?;
        until_text(&browser, &part(method, ".cut-result"), "The network is cut;").await?;
        assert_eq!(browser.value("document.activeElement.matches('.cut')").await?, true, "the focus stays");
    }
    for method in Method::ALL {
        until_text(&browser, &part(method, ".cut-result"), "There was no new message meanwhile").await?;
    }
    Ok(())
}
