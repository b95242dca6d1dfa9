//! push.js, in a page that has nothing else.
//!
//! - `stage`: the set-up of most tests
//! - `import`: the file itself
//! - `delivery`: messages once and in order, or a gap, however connections end
//! - `cuts`: a bad network for a while, by each method and by all of them
//! - `methods`: which method it follows by
//! - `buffering`: nginx in between, which holds streams back or does not
//! - `refusal`: a service that does not take the client
//! - `tokens`: tokens that end
//! - `publish`: publishing
//! - `page`: the page's life: offline, hidden, in the back/forward cache
//! - `tabs`: the tabs of an origin share one connection
//! - `browsers`: some of these tests in Firefox and WebKit; `E2E_BROWSER` has all of them run in another browser than Chromium

mod browsers;
mod buffering;
mod cuts;
mod delivery;
mod import;
mod methods;
mod page;
mod publish;
mod refusal;
mod stage;
mod tabs;
mod tokens;

use anyhow::{Context, Result};
use e2e::browser::Browser;
use e2e::service::{Method, Service};
use serde_json::{Value, json};
use stage::{Stage, follow_directly};

/// A page with push.js as `push`. `follow(name, options)` subscribes and notes in `seen[name]` what comes.
const SCRIPT: &str = "
    window.seen = {};
    window.follow = (name, options) => {
        const noted = { texts: [], messages: [], gaps: [], states: [], methods: [], errors: [] };
        seen[name] = noted;
        noted.subscription = push.subscribe({
            share: false,
            ...options,
            onMessage(message) { noted.messages.push(message); noted.texts.push(message.text); },
            onGap(gap) { noted.gaps.push(gap); noted.texts.push('gap'); },
            onState(state, detail) {
                noted.state = state;
                noted.states.push(state);
                if (state === 'open') noted.methods.push(detail.method);
                if (detail.error) noted.errors.push({ ...detail.error, message: detail.error.message });
            },
        });
    };
";

/// Polls and tokens are given up after a tenth of the time: half a minute is too long for a test.
const HASTY_POLLS: &str = "const after = AbortSignal.timeout; AbortSignal.timeout = (time) => after(time / 10)";

/// The minute until a better method is tried again, or until a silent tab counts as frozen, is a moment: it is too long for a test.
const HASTY_MINUTES: &str =
    "const set = setTimeout; window.setTimeout = (run, after) => set(run, after === 60000 ? 300 : after)";

/// Opens a page of a service and imports push.js from there, or from another origin.
async fn open(browser: &Browser, page: &str, library: &str) -> Result<()> {
    browser.open(page).await?;
    browser.run(&format!("return import('{library}').then((module) => {{ window.push = module; {SCRIPT} }})")).await
}

/// Opens a page of a service, with push.js from it.
async fn open_at(browser: &Browser, service: &Service) -> Result<()> {
    open(browser, &service.url("/livez"), "/push.js").await
}

/// Follows as `one` with these options, as JavaScript, and waits until the subscription is open.
async fn follow(browser: &Browser, options: &str) -> Result<()> {
    browser.run(&format!("follow('one', {options})")).await?;
    browser.until("seen.one.state === 'open'").await?;
    Ok(())
}

/// The beginning of the request by which a method follows.
fn following(method: Method) -> &'static str {
    match method {
        Method::Ws => "GET /feed",
        Method::Sse => "GET /events",
        Method::Poll => "GET /poll",
    }
}

/// Waits until `one` has received a text, and returns all its texts, with `gap` for a gap.
async fn until_text(browser: &Browser, text: &str) -> Result<Vec<String>> {
    browser.until(&format!("seen.one.texts.includes({text:?})")).await?;
    texts(browser, "one").await
}

async fn texts(browser: &Browser, name: &str) -> Result<Vec<String>> {
    Ok(serde_json::from_value(browser.value(&format!("seen.{name}.texts")).await?)?)
}

/// Waits until `one` is open by a method.
async fn until_method(browser: &Browser, method: &str) -> Result<()> {
    browser.until(&format!("seen.one.state === 'open' && seen.one.methods.at(-1) === '{method}'")).await?;
    Ok(())
}

/// Returns the states that `one` has had, each once.
async fn states(browser: &Browser) -> Result<Vec<String>> {
    Ok(serde_json::from_value(browser.value("[...new Set(seen.one.states)]").await?)?)
}

/// Publishes to a closed service as its publisher.
async fn publish_with_token(service: &Service, token: &str, text: &str) -> Result<()> {
    let request = testkit::client().post(service.url("/messages?topic=a.b")).bearer_auth(token);
    request.body(text.to_owned()).send().await?.error_for_status()?;
    Ok(())
}

/// The texts of a history, the oldest first.
async fn history(service: &Service) -> Result<Vec<String>> {
    let page: Value = testkit::client().get(service.url("/messages?topic=%3E&limit=1000")).send().await?.json().await?;
    let messages = page["messages"].as_array().context("a page has messages")?;
    Ok(messages.iter().map(|message| message["text"].as_str().unwrap_or_default().to_owned()).collect())
}

/// A number that lengthens a test, from a variable; without it the test is as short as it is in CI.
fn length(variable: &str, short: u64) -> Result<u64> {
    match std::env::var(variable) {
        Ok(number) => number.parse().with_context(|| format!("{variable} is {number:?}, and no number")),
        Err(_) => Ok(short),
    }
}

/// An empty object in JSON, for [`testkit::tokens::token_with`].
fn nothing() -> Value {
    json!({})
}
