//! Takes pictures of every page, narrow and wide, light and dark, in English and Chinese, to look at:
//! `cargo run -p e2e --example pages -- FOLDER`

use std::path::{Path, PathBuf};

use anyhow::Context;
use e2e::browser::Browser;
use e2e::service::{Method, Service, hold};

/// The widths of a phone and of a notebook, with their heights.
const SIZES: [(u32, u32); 2] = [(390, 844), (1280, 900)];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder: PathBuf = std::env::args_os().nth(1).context("name the folder for the pictures")?.into();
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let port = hold("127.0.0.1:0".parse()?)?;
    let admin = port.local_addr()?;
    let services = Service::all_three(&["--tick=700ms", "--history=8"]).await?;
    let mut watched = Service::reserve(Method::Sse)?;
    watched.start(&["--tick=700ms", &format!("--admin-listen={admin}")]).await?;
    let [ws, poll, sse] = services.each_ref().map(|service| service.url("/"));
    let pages = [
        ("ws", ws.clone()),
        ("poll", poll),
        ("sse", sse),
        ("compare", format!("{ws}compare")),
        ("debug", format!("http://{admin}/debug")),
    ];
    for language in ["en", "zh-CN"] {
        let browser = Browser::start(language).await?;
        for (width, height) in SIZES {
            browser.resize(width, height).await?;
            for (name, url) in &pages {
                browser.open(url).await?;
                if *name != "debug" {
                    fill(&browser, &services).await?;
                }
                for theme in ["light", "dark"] {
                    browser.click(&format!("#theme option[value='{theme}']")).await?;
                    let file = |part: &str| folder.join(format!("{name}-{width}-{theme}-{language}{part}.png"));
                    write(&file(""), browser.screenshot().await?)?;
                    write(&file("-whole"), browser.whole_screenshot().await?)?;
                }
            }
        }
    }
    Ok(())
}

/// Has the page show messages and a gap.
async fn fill(browser: &Browser, services: &[Service]) -> anyhow::Result<()> {
    browser.until("document.querySelector('.state')").await?;
    browser.until("[...document.querySelectorAll('.state')].every((one) => one.dataset.state === 'open')").await?;
    for service in services {
        service.publish_together("main", "Order", 10).await?;
    }
    let lists = "[...document.querySelectorAll('.messages')]";
    browser
        .until(&format!("{lists}.every((list) => list.querySelector('[data-kind=gap]') && list.children.length > 12)"))
        .await?;
    browser.run("document.querySelector('.cut, #cut').click()").await?;
    browser.until("document.querySelector('.state').dataset.state === 'waiting'").await?;
    Ok(())
}

fn write(file: &Path, picture: Vec<u8>) -> anyhow::Result<()> {
    std::fs::write(file, picture).with_context(|| format!("writing {}", file.display()))
}
