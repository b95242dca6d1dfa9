//! Takes the picture of `/compare` for the documentation:
//! `cargo run -p e2e --example screenshot -- docs/compare.png`

use std::path::PathBuf;

use anyhow::Context;
use e2e::browser::Browser;
use e2e::service::Service;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let file: PathBuf = std::env::args_os().nth(1).context("name the file to write")?.into();
    let directory = tempfile::tempdir()?;
    let data = format!("--data={}", directory.path().display());
    let services = Service::all_three(&["--tick=1s", &data]).await?;
    let browser = Browser::start("en").await?;
    browser.resize(1280, 1180).await?;
    browser.prefer("light").await?;
    browser.open(&services[0].url("/compare")).await?;
    browser.until("document.querySelectorAll('.state[data-state=open]').length === 3").await?;
    browser.until("document.getElementById('histories').textContent").await?;

    publish(&browser, "Hello, subscribers!", "#publish-send").await?;
    ticked(&browser).await?;
    publish(&browser, "Order 4711 has shipped", "#publish-send").await?;
    publish(&browser, "Burst", "#publish-burst").await?;
    publish(&browser, "你好，各位订阅者！", "#publish-send").await?;
    // One is cut off, and catches up.
    browser.click("[data-method=poll] .cut").await?;
    let result = "document.querySelector('[data-method=poll] .cut-result').textContent";
    browser.until(&format!("{result}.startsWith('Caught up')")).await?;
    // Enough for the plots.
    browser.until("[...document.querySelectorAll('dd.count')].every((count) => count.dataset.value > 45)").await?;
    publish(&browser, "Order 4712 has shipped", "#publish-send").await?;

    browser.run("document.activeElement.blur()").await?;
    std::fs::write(&file, browser.screenshot().await?).with_context(|| format!("writing {}", file.display()))?;
    println!("wrote {}", file.display());
    Ok(())
}

/// Publishes from the page, and waits until every column shows it.
async fn publish(browser: &Browser, text: &str, button: &str) -> anyhow::Result<()> {
    browser.fill("#publish-text", text).await?;
    browser.click(button).await?;
    let last = if button == "#publish-burst" { format!("{text} 10") } else { text.to_owned() };
    newest(browser, &format!("text === {last:?}")).await?;
    // The page shows what the publication took once it is answered, too.
    browser.until("document.querySelectorAll('.messages > li:first-child .delay').length === 3").await?;
    Ok(())
}

/// Waits until every column shows a message of the simulated source on top.
async fn ticked(browser: &Browser) -> anyhow::Result<()> {
    newest(browser, "text.startsWith('New message')").await
}

async fn newest(browser: &Browser, is_wanted: &str) -> anyhow::Result<()> {
    let texts = "[...document.querySelectorAll('.messages > li:first-child .text')].map((row) => row.textContent)";
    browser.until(&format!("((texts) => texts.length === 3 && texts.every((text) => {is_wanted}))({texts})")).await?;
    Ok(())
}
