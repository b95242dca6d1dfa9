//! The switches of language and theme.

use anyhow::Result;
use e2e::browser::{Browser, message};
use e2e::service::{Method, Service};
use serde_json::json;

use crate::debug::Stage;
use crate::{LIST, STATE, open_page, until_text};

async fn choose(browser: &Browser, setting: &str, value: &str) -> Result<()> {
    browser.click(&format!("#{setting} option[value='{value}']")).await
}

/// Returns true if the page is dark: its background is.
const IS_DARK: &str = "getComputedStyle(document.body).backgroundColor === 'rgb(18, 22, 27)'";
const IS_LIGHT: &str = "getComputedStyle(document.body).backgroundColor === 'rgb(244, 246, 248)'";

#[tokio::test]
async fn another_language_is_written_in_place_and_remembered() -> Result<()> {
    let services = Service::all_three(&[]).await?;
    let service = &services[0];
    let browser = open_page(service).await?;
    browser.fill("#publish-text", "my own words").await?;
    browser.click("#publish-send").await?;
    until_text(&browser, "#publish-result", "Published, id ").await?;
    browser.until_row(LIST, "my own words").await?;

    choose(&browser, "language", "zh-CN").await?;
    assert_eq!(browser.value("[document.documentElement.lang, document.title]").await?, json!(["zh-CN", "WebSocket"]));
    assert_eq!(browser.text(STATE).await?, "已连接");
    until_text(&browser, "#publish-result", "已发布，编号 ").await?;
    until_text(&browser, "#messages .when", "发布于 ").await?;
    assert_eq!(browser.rows(LIST).await?, [message("my own words")], "the page is the same one");
    assert_eq!(browser.value("document.getElementById('publish-text').value").await?, "my own words");
    assert_eq!(browser.value("document.getElementById('cut').textContent").await?, "断网 5 秒");
    assert_eq!(browser.value("document.querySelector('[role=log]').getAttribute('aria-label')").await?, "消息");
    assert_eq!(browser.value("document.activeElement.id").await?, "language");

    for (page, heading) in [("/", "WebSocket"), ("/compare", "三种推送方法并排比较")] {
        browser.open(&service.url(page)).await?;
        browser.until("document.documentElement.lang === 'zh-CN'").await?;
        assert_eq!(browser.text("h1").await?, heading);
    }
    until_text(&browser, ".method[data-method=poll] h2", "长轮询").await?;
    choose(&browser, "language", "en").await?;
    until_text(&browser, ".method[data-method=poll] h2", "Long polling").await?;
    let name = "document.querySelector('#plot-delay svg').getAttribute('aria-label')";
    browser.until(&format!("{name}.startsWith('Delay of ')")).await?;
    Ok(())
}

#[tokio::test]
async fn a_theme_is_remembered_and_there_before_anything_is_painted() -> Result<()> {
    let service = Service::started(Method::Sse, &[]).await?;
    let browser = Browser::start("en").await?;
    browser.prefer("light").await?;
    // When the body begins, nothing has been painted.
    browser
        .before_pages(
            "new MutationObserver((_, observer) => {
                if (!document.body) return;
                window.themeAtFirst = document.documentElement.dataset.theme ?? 'system';
                observer.disconnect();
            }).observe(document, { childList: true, subtree: true });",
        )
        .await?;
    browser.open(&service.url("/")).await?;
    browser.until_state(STATE, "open").await?;
    assert_eq!(browser.value("themeAtFirst").await?, "system");
    assert_eq!(browser.value(IS_LIGHT).await?, true);
    choose(&browser, "theme", "dark").await?;
    assert_eq!(browser.value(IS_DARK).await?, true);
    for page in ["/", "/compare"] {
        browser.open(&service.url(page)).await?;
        assert_eq!(browser.value("themeAtFirst").await?, "dark");
        assert_eq!(browser.value(IS_DARK).await?, true);
        assert_eq!(browser.value("document.getElementById('theme').value").await?, "dark");
    }
    // The system's preference counts no more, and again.
    browser.prefer("dark").await?;
    choose(&browser, "theme", "light").await?;
    assert_eq!(browser.value(IS_LIGHT).await?, true);
    choose(&browser, "theme", "system").await?;
    assert_eq!(browser.value(IS_DARK).await?, true);
    browser.open(&service.url("/")).await?;
    assert_eq!(browser.value("themeAtFirst").await?, "system");
    Ok(())
}

#[tokio::test]
async fn the_debug_page_has_the_switches_too() -> Result<()> {
    let stage = Stage::set().await?;
    let _reader = stage.follow().await;
    let browser = Browser::start("en").await?;
    browser.open(&stage.page()).await?;
    browser.until("document.querySelector('#slowest button')").await?;
    choose(&browser, "language", "zh-CN").await?;
    assert_eq!(browser.text("h1").await?, "运行状况");
    until_text(&browser, "#service", "服务器发送事件（SSE），版本 ").await?;
    until_text(&browser, "#slowest th", "地址").await?;
    until_text(&browser, "#figures dt", "已连接的客户端").await?;
    choose(&browser, "theme", "dark").await?;
    assert_eq!(browser.value(IS_DARK).await?, true);
    browser.open(&stage.page()).await?;
    until_text(&browser, "h1", "运行状况").await?;
    assert_eq!(browser.value(IS_DARK).await?, true);
    Ok(())
}

#[tokio::test]
async fn a_browser_that_keeps_nothing_can_switch_all_the_same() -> Result<()> {
    let service = Service::started(Method::Poll, &[]).await?;
    let browser = Browser::start("en").await?;
    browser
        .before_pages(
            "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError') } });",
        )
        .await?;
    browser.open(&service.url("/")).await?;
    browser.until_state(STATE, "open").await?;
    choose(&browser, "language", "zh-CN").await?;
    assert_eq!(browser.text("h1").await?, "长轮询");
    choose(&browser, "theme", "dark").await?;
    assert_eq!(browser.value(IS_DARK).await?, true);
    browser.open(&service.url("/")).await?;
    until_text(&browser, "h1", "Long polling").await?;
    let log = browser.log().await?;
    assert!(log.is_empty(), "{log:#?}");
    Ok(())
}

#[tokio::test]
async fn both_languages_have_the_same_texts_with_the_same_places_to_fill_in() -> Result<()> {
    let service = Service::started(Method::Ws, &[]).await?;
    let browser = Browser::start("en").await?;
    browser.open(&service.url("/livez")).await?;
    let differing = "Promise.all([import('/assets/words-chinese.js'), import('/assets/words-english.js')]).then(
        ([{ chinese }, { english }]) => {
            const places = (text) => JSON.stringify([...new Set(text?.match(/\\{\\w+\\}|`[^`]*`/g))].sort());
            const keys = Object.keys({ ...chinese, ...english });
            return { count: keys.length, differing: keys.filter((key) =>
                !chinese[key] || !english[key] || places(chinese[key]) !== places(english[key])) };
        })";
    let found = browser.value(differing).await?;
    assert!(found["count"].as_u64().is_some_and(|count| count > 100), "{found}");
    assert_eq!(found["differing"], json!([]));
    Ok(())
}
