//! Ids and cursors are shown and can be copied.

use anyhow::Result;
use e2e::browser::{Browser, Key};
use e2e::service::{Method, Service};

use crate::{LIST, STATE, open_page, part, until_all_open};

/// Presses the button that has the focus, and waits for the announcement.
async fn press(browser: &Browser, announced: &str) -> Result<()> {
    browser.press(Key::Enter).await?;
    browser
        .until(&format!("[...document.querySelectorAll('main > [role=status]')].at(-1)?.textContent === {announced:?}"))
        .await?;
    Ok(())
}

/// Pastes into the field for a text to publish, and returns what is there then.
async fn pasted(browser: &Browser) -> Result<String> {
    browser.run("const field = document.getElementById('publish-text'); field.value = ''; field.focus();").await?;
    browser.type_keys(&format!("{}v", char::from(Key::Control))).await?;
    let pasted = browser.until("document.getElementById('publish-text').value").await?;
    Ok(pasted.as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn ids_and_the_cursor_are_copied_by_keyboard() -> Result<()> {
    let service = Service::started(Method::Sse, &[]).await?;
    let browser = open_page(&service).await?;
    let mut ids = Vec::new();
    for text in ["one", "two", "three"] {
        ids.push(service.publish(text).await?["id"].as_str().unwrap_or_default().to_owned());
    }
    browser.until_row(LIST, "three").await?;
    let shown = "[...document.querySelectorAll('#messages .id code')].map((id) => id.textContent).reverse()";
    assert_eq!(browser.value(shown).await?, serde_json::json!(ids));

    // The key Tab goes from the list to the button of the latest message, and the arrow keys to the others.
    browser.run("document.querySelector('[role=log]').focus()").await?;
    browser.press(Key::Tab).await?;
    press(&browser, &format!("Copied {}", ids[2])).await?;
    browser.until("document.activeElement.textContent === 'Copied'").await?;
    assert_eq!(pasted(&browser).await?, ids[2]);
    browser.run("document.querySelector('[role=log]').focus()").await?;
    browser.press(Key::Tab).await?;
    browser.press(Key::Down).await?;
    press(&browser, &format!("Copied {}", ids[1])).await?;
    assert_eq!(pasted(&browser).await?, ids[1]);

    browser.until(&format!("document.getElementById('cursor').textContent === {:?}", ids[2])).await?;
    browser.run("document.querySelector('#copy-cursor button').focus()").await?;
    press(&browser, &format!("Copied {}", ids[2])).await?;
    assert_eq!(pasted(&browser).await?, ids[2]);
    Ok(())
}

#[tokio::test]
async fn a_page_without_the_clipboard_copies_or_selects() -> Result<()> {
    let service = Service::started(Method::Ws, &[]).await?;
    let browser = Browser::start("en").await?;
    // A page that came over plain HTTP from another machine has none.
    browser.before_pages("Object.defineProperty(navigator, 'clipboard', { value: undefined });").await?;
    browser.open(&service.url("/")).await?;
    browser.until_state(STATE, "open").await?;
    let id = service.publish("one").await?["id"].as_str().unwrap_or_default().to_owned();
    browser.until_row(LIST, "one").await?;
    let focus = "document.querySelector('#messages .copy').focus()";
    browser.run(focus).await?;
    press(&browser, &format!("Copied {id}")).await?;
    assert_eq!(pasted(&browser).await?, id);

    browser.run("document.execCommand = () => false").await?;
    browser.run(focus).await?;
    let announced = format!("The browser does not let this page copy. {id} is selected: press Ctrl+C or ⌘C");
    press(&browser, &announced).await?;
    assert_eq!(browser.value("`${getSelection()}`").await?, *id);
    browser.until("document.activeElement.textContent === 'Selected'").await?;
    Ok(())
}

#[tokio::test]
async fn each_column_shows_ids_and_its_cursor() -> Result<()> {
    let services = Service::all_three(&[]).await?;
    let browser = Browser::start("en").await?;
    browser.open(&services[0].url("/compare")).await?;
    until_all_open(&browser).await?;
    for (method, service) in Method::ALL.into_iter().zip(&services) {
        let id = service.publish("one").await?["id"].as_str().unwrap_or_default().to_owned();
        browser.until_row(&part(method, ".messages"), "one").await?;
        assert_eq!(browser.text(&part(method, ".messages .id code")).await?, id);
        let cursor = part(method, ".cursor");
        browser.until(&format!("document.querySelector({cursor:?}).textContent === {id:?}")).await?;
        let copy = part(method, ".position .copy");
        browser.click(&copy).await?;
        browser.until(&format!("document.querySelector({copy:?}).textContent === 'Copied'")).await?;
        assert_eq!(pasted(&browser).await?, id);
    }
    Ok(())
}
