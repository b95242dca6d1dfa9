//! The rules of axe-core, on every page: in both languages and both themes, with messages, a gap, and what buttons have to say.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result};
use e2e::browser::Browser;
use e2e::service::{Method, Service};
use serde_json::json;

use crate::debug::Stage;
use crate::{LIST, STATE, part, until_all_open, until_text};

/// The file that AXE_CORE names, or that in which `cargo xtask test` has put it.
fn axe_core() -> Result<String> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().context("the target folder")?;
    let installed = target.join("axe-core/node_modules/axe-core/axe.min.js");
    let file = env::var_os("AXE_CORE").filter(|value| !value.is_empty()).map_or(installed, PathBuf::from);
    fs::read_to_string(&file).with_context(|| {
        format!(
            "these tests need axe-core, and there is no {}: `cargo xtask test` installs it where npm is there; by hand, \
             `npm install axe-core` and name its axe.min.js in AXE_CORE",
            file.display()
        )
    })
}

/// Has axe-core judge the page in each language and theme.
async fn is_accessible(browser: &Browser) -> Result<()> {
    browser.run(&axe_core()?).await?;
    for language in ["en", "zh-CN"] {
        browser.click(&format!("#language option[value='{language}']")).await?;
        for theme in ["light", "dark"] {
            browser.click(&format!("#theme option[value='{theme}']")).await?;
            let judged = "axe.run().then(({ violations, passes }) => ({
                passes: passes.length,
                violations: violations.map(({ id, help, nodes }) =>
                    [id, help, ...nodes.map(({ html, failureSummary }) => [html, failureSummary])]),
            }))";
            let judged = browser.value(judged).await?;
            assert_eq!(judged["violations"], json!([]), "{language}, {theme}: {:#}", judged["violations"]);
            assert!(judged["passes"].as_u64().is_some_and(|passes| passes > 20), "{judged}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_pages_of_the_services_are_accessible() -> Result<()> {
    let browser = Browser::start("en").await?;
    for method in Method::ALL {
        let service = Service::started(method, &["--history=8"]).await?;
        browser.open(&service.url("/")).await?;
        browser.until_state(STATE, "open").await?;
        service.publish_together("main", "burst", 10).await?;
        browser.until_row(LIST, "burst 10").await?;
        browser.until("document.querySelector('#messages [data-kind=gap]')").await?;
        browser.click("#publish-send").await?;
        until_text(&browser, "#publish-result", "Published").await?;
        browser.click("#earlier").await?;
        until_text(&browser, "#earlier-result", "The history that is kept").await?;
        if method == Method::Ws {
            browser.click("#echo-send").await?;
            browser.until("document.querySelector('#echo-answers li')").await?;
        }
        is_accessible(&browser).await.with_context(|| format!("{method:?}"))?;
        browser.click("#cut").await?;
        browser.until_state(STATE, "waiting").await?;
        is_accessible(&browser).await.with_context(|| format!("{method:?}, cut"))?;
    }
    Ok(())
}

#[tokio::test]
async fn the_page_that_asks_for_a_token_is_accessible() -> Result<()> {
    let secret = format!("--jwt-secret={}", testkit::tokens::SECRET);
    let service = Service::started(Method::Sse, &[&secret]).await?;
    let browser = Browser::start("en").await?;
    browser.open(&service.url("/")).await?;
    browser.until("!document.getElementById('token-part').hidden").await?;
    is_accessible(&browser).await
}

#[tokio::test]
async fn compare_is_accessible() -> Result<()> {
    let services = Service::all_three(&["--history=8"]).await?;
    let browser = Browser::start("en").await?;
    browser.open(&services[0].url("/compare")).await?;
    until_all_open(&browser).await?;
    browser.click("#publish-burst").await?;
    for method in Method::ALL {
        let gap = part(method, ".messages [data-kind=gap]");
        browser.until(&format!("document.querySelector({gap:?})")).await?;
    }
    browser.until("document.querySelector('#plot-bytes .line')?.getAttribute('d')").await?;
    browser.click(".notes summary").await?;
    browser.click(&part(Method::Poll, ".cut")).await?;
    until_text(&browser, &part(Method::Poll, ".cut-result"), "The network is cut;").await?;
    browser.click(&part(Method::Ws, ".toggle")).await?;
    browser.until_state(&part(Method::Ws, ".state"), "closed").await?;
    is_accessible(&browser).await
}

#[tokio::test]
async fn the_debug_page_is_accessible() -> Result<()> {
    let stage = Stage::set().await?;
    let mut slow = stage.follow().await;
    let _other = stage.follow().await;
    stage.publish_until_all_have_lost_some().await?;
    slow.read_until("event: gap").await;
    let browser = Browser::start("en").await?;
    browser.open(&stage.page()).await?;
    browser.until("document.querySelectorAll('#gaps tbody tr').length >= 1").await?;
    browser.until("document.querySelector('#slowest button')").await?;
    is_accessible(&browser).await
}
