//! Each service's page, and properties that all pages share.

use e2e::browser::{Browser, Row, message};
use e2e::service::{Method, Service};
use serde_json::json;

use crate::{LIST, STATE, open_page};

#[tokio::test]
async fn the_page_of_ws_echo_shows_and_publishes_messages() -> anyhow::Result<()> {
    shows_and_publishes(Method::Ws).await
}

#[tokio::test]
async fn the_page_of_longpoll_server_shows_and_publishes_messages() -> anyhow::Result<()> {
    shows_and_publishes(Method::Poll).await
}

#[tokio::test]
async fn the_page_of_sse_server_shows_and_publishes_messages() -> anyhow::Result<()> {
    shows_and_publishes(Method::Sse).await
}

async fn shows_and_publishes(method: Method) -> anyhow::Result<()> {
    let service = Service::started(method, &[]).await?;
    let browser = open_page(&service).await?;

    let published = service.publish("published by HTTP").await?;
    assert_eq!(browser.until_row(LIST, "published by HTTP").await?, [message("published by HTTP")]);
    let shown = browser.value("document.querySelector('#messages time').textContent").await?;
    assert!(is_clock_time(shown.as_str().unwrap_or_default()), "{shown}");
    let time = browser.value("document.querySelector('#messages time').dateTime").await?;
    assert_eq!(time, published["at"]);

    // The second list shows that nothing of the first came twice: messages come in order.
    browser.fill("#publish-text", "从页面发布 😀").await?;
    browser.click("#publish-send").await?;
    browser.until("document.getElementById('publish-result').textContent.startsWith('Published, id ')").await?;
    service.publish("the last").await?;
    let rows = ["published by HTTP", "从页面发布 😀", "the last"].map(message);
    assert_eq!(browser.until_row(LIST, "the last").await?, rows);
    assert_eq!(browser.text("#count").await?, "3");

    browser.click("#disconnect").await?;
    browser.until_state(STATE, "closed").await?;
    service.publish("while disconnected").await?;
    browser.click("#connect").await?;
    let all: Vec<Row> = rows.into_iter().chain([message("while disconnected")]).collect();
    assert_eq!(browser.until_row(LIST, "while disconnected").await?, all);

    let text = "<b>no</b> markup";
    service.publish(text).await?;
    assert_eq!(browser.until_row(LIST, text).await?.last(), Some(&message(text)));
    Ok(())
}

/// `HH:MM:SS.mmm`
fn is_clock_time(text: &str) -> bool {
    text.len() == 12
        && text.bytes().zip("00:00:00.000".bytes()).all(|(byte, form)| match form {
            b'0' => byte.is_ascii_digit(),
            separator => byte == separator,
        })
}

#[tokio::test]
async fn ws_echo_answers_from_its_echo_box() -> anyhow::Result<()> {
    let service = Service::started(Method::Ws, &[]).await?;
    let browser = Browser::start("zh-CN").await?;
    browser.open(&service.url("/")).await?;
    // The box has the text already.
    browser.until("document.getElementById('echo-text').value === '你好，服务器！'").await?;
    browser.click("#echo-send").await?;
    browser.until("document.querySelector('#echo-answers li')").await?;
    assert_eq!(browser.text("#echo-answers").await?, "服务器回应：你好，服务器！");

    browser.fill("#echo-text", "second").await?;
    browser.click("#echo-send").await?;
    browser.until("document.querySelectorAll('#echo-answers li').length === 2").await?;
    assert_eq!(browser.text("#echo-answers li").await?, "服务器回应：second");
    Ok(())
}

#[tokio::test]
async fn pages_speak_the_language_of_the_person() -> anyhow::Result<()> {
    let services = Service::all_three(&[]).await?;
    for (languages, lang, heading, open) in [
        ("zh-CN,zh", "zh-CN", ["WebSocket", "长轮询", "服务器发送事件（SSE）", "三种推送方法并排比较"], "已连接"),
        (
            "en",
            "en",
            ["WebSocket", "Long polling", "Server-Sent Events (SSE)", "Three ways to push, side by side"],
            "Connected",
        ),
    ] {
        let browser = Browser::start(languages).await?;
        for (page, heading) in pages(&services).iter().zip(heading) {
            browser.open(page).await?;
            browser.until("document.querySelector('.state')?.dataset.state === 'open'").await?;
            assert_eq!(browser.value("document.documentElement.lang").await?, lang, "{page}");
            assert_eq!(browser.text("h1").await?, heading);
            assert_eq!(browser.value("document.title").await?, heading);
            assert_eq!(browser.text(".state").await?, open, "{page}");
            // Nothing is left untranslated.
            let empty = "[...document.querySelectorAll('[data-text]')].filter((one) => !one.textContent).length";
            assert_eq!(browser.value(empty).await?, 0, "{page}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn pages_say_nothing_on_the_console() -> anyhow::Result<()> {
    let services = Service::all_three(&[]).await?;
    let browser = Browser::start("en").await?;
    for page in pages(&services) {
        browser.open(&page).await?;
        browser.until("document.querySelectorAll('.state').length > 0").await?;
        browser.until("[...document.querySelectorAll('.state')].every((one) => one.dataset.state === 'open')").await?;
        browser.click("#publish-send").await?;
        let lists = "[...document.querySelectorAll('.messages')]";
        browser.until(&format!("{lists}.every((list) => list.children.length === 1)")).await?;
        if page == services[0].url("/") {
            browser.click("#echo-send").await?;
            browser.until("document.querySelector('#echo-answers li')").await?;
        }
        let log = browser.log().await?;
        assert!(log.is_empty(), "{page}: {log:#?}");
    }

    // A violation of the policy would be in the log.
    browser.run("document.body.append(Object.assign(document.createElement('script'), { text: '1' }))").await?;
    let log = browser.log().await?;
    assert!(log.iter().any(|line| line.message.contains("Content Security Policy")), "{log:#?}");
    Ok(())
}

#[tokio::test]
async fn pages_fit_a_narrow_phone() -> anyhow::Result<()> {
    let services = Service::all_three(&[]).await?;
    for languages in ["en", "zh-CN,zh"] {
        let browser = Browser::start(languages).await?;
        browser.resize(360, 740).await?;
        for page in pages(&services) {
            browser.open(&page).await?;
            browser.until("document.querySelector('.state')?.dataset.state === 'open'").await?;
            let text = "a-word-without-any-space-".repeat(8);
            for service in &services {
                service.publish(&text).await?;
            }
            browser.until_row(".messages", &text).await?;
            let widths = "[document.scrollingElement.clientWidth, document.scrollingElement.scrollWidth]";
            assert_eq!(browser.value(widths).await?, json!([360, 360]), "{page}");
            // Content that is cut off inside an element does not widen the page.
            let cut_off = "[...document.querySelectorAll('body *')]
                .filter((one) => one.clientWidth && one.tagName !== 'INPUT' && one.scrollWidth > one.clientWidth + 1)
                .filter((one) => !one.closest('.unseen'))
                .map((one) => one.outerHTML.slice(0, 200))";
            assert_eq!(browser.value(cut_off).await?, json!([]), "{page}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn on_a_phone_state_and_messages_come_first() -> anyhow::Result<()> {
    let services = Service::all_three(&[]).await?;
    for languages in ["en", "zh-CN,zh"] {
        let browser = Browser::start(languages).await?;
        browser.resize(390, 844).await?;
        for service in &services {
            browser.open(&service.url("/")).await?;
            browser.until_state(STATE, "open").await?;
            for number in 1..=3 {
                service.publish(&format!("message {number}")).await?;
            }
            browser.until_row(LIST, "message 3").await?;
            // Without scrolling: the state, three messages, and the buttons below them.
            let bottoms = "['#state', '#messages > li:nth-child(3)', '#cut'].map((one) =>
                document.querySelector(one).getBoundingClientRect().bottom)";
            let bottoms: Vec<f64> = serde_json::from_value(browser.value(bottoms).await?)?;
            assert!(bottoms.iter().all(|bottom| *bottom < 844.0), "{bottoms:?}");
            // For those who listen, too: all forms follow.
            let follows = "[...document.forms].every((form) => document.getElementById('messages')
                .compareDocumentPosition(form) & Node.DOCUMENT_POSITION_FOLLOWING)";
            assert_eq!(browser.value(follows).await?, true);
        }
    }
    Ok(())
}

/// The four pages.
fn pages(services: &[Service; 3]) -> [String; 4] {
    let [ws, poll, sse] = services;
    [ws.url("/"), poll.url("/"), sse.url("/"), sse.url("/compare")]
}
