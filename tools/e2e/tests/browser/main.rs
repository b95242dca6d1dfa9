//! The pages, as a person uses them in a browser.
//!
//! - `access`: a page of another origin and a closed service
//! - `http2`: many streams on one connection
//! - `pages`: each service's page, and properties that all pages share
//! - `plain`: clients as simple as possible, without cursors
//! - `native`: `EventSource` alone, while the service restarts, is full, or has no history
//! - `push_js`: the client library
//! - `reconnect`: the network is cut, a service is restarted
//! - `compare`: the page with the three services side by side
//! - `debug`: the page of those who run a service
//! - `earlier`: messages from before
//! - `cut`: the network is cut by the button for it
//! - `plots`: the plots of `/compare`
//! - `copies`: ids and cursors are copied
//! - `settings`: the switches of language and theme
//! - `announcements`: the announcements for a screen reader, and the focus, which stays
//! - `keyboard`: `/compare` without a mouse
//! - `axe`: the rules of axe-core, on every page

mod access;
mod announcements;
mod axe;
mod compare;
mod copies;
mod cut;
mod debug;
mod earlier;
mod http2;
mod keyboard;
mod native;
mod pages;
mod plain;
mod plots;
mod push_js;
mod reconnect;
mod settings;

use e2e::browser::Browser;
use e2e::service::{Method, Service};

/// The list of messages on a service's own page.
const LIST: &str = "#messages";
/// The connection's state on a service's own page.
const STATE: &str = "#state";

/// An element in the column of a method on `/compare`.
fn part(method: Method, selector: &str) -> String {
    format!(".method[data-method={}] {selector}", method.name())
}

/// Opens the page of a service, and waits until it is connected.
async fn open_page(service: &Service) -> anyhow::Result<Browser> {
    let browser = Browser::start("en").await?;
    browser.open(&service.url("/")).await?;
    browser.until_state(STATE, "open").await?;
    Ok(browser)
}

/// Waits until the three columns of `/compare` are connected.
async fn until_all_open(browser: &Browser) -> anyhow::Result<()> {
    for method in Method::ALL {
        browser.until_state(&part(method, ".state"), "open").await?;
    }
    Ok(())
}

/// Waits until an element has a text that begins so, and returns the whole text.
async fn until_text(browser: &Browser, element: &str, beginning: &str) -> anyhow::Result<String> {
    let text = format!("document.querySelector({element:?})?.textContent ?? ''");
    let shown = browser.until(&format!("((text) => text.startsWith({beginning:?}) && text)({text})")).await?;
    Ok(shown.as_str().unwrap_or_default().to_owned())
}
