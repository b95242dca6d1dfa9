//! A browser window.

use std::time::Duration;

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
pub use fantoccini::key::Key;
use fantoccini::wd::WindowHandle;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use crate::PATIENCE;
use crate::driver::Driver;
use crate::engine::Engine;

/// The number of browsers that run at the same time: more of them only slow each other down.
static PLACES: Semaphore = Semaphore::const_new(2);

/// The interval at which the page is checked for what a test waits for.
const CHECK_INTERVAL: Duration = Duration::from_millis(25);

/// A browser with an empty profile. It ends when it is dropped.
#[derive(Debug)]
pub struct Browser {
    engine: Engine,
    client: Client,
    session: String,
    http: reqwest::Client,
    /// The tabs, in the order in which they were opened.
    tabs: Mutex<Vec<WindowHandle>>,
    // These are dropped in this order.
    _driver: Driver,
    _profile: TempDir,
    _place: SemaphorePermit<'static>,
}

/// A line of the browser's console.
#[derive(Debug, Clone)]
pub struct Logged {
    /// `SEVERE`, `WARNING`, `INFO` or `DEBUG`.
    pub level: String,
    /// The place in the source, and the text.
    pub message: String,
}

/// A row of a list of messages on a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// A message's text.
    Message(String),
    /// A gap's reason.
    Gap(String),
}

/// A row with a message.
pub fn message(text: &str) -> Row {
    Row::Message(text.to_owned())
}

impl Browser {
    /// Starts the browser of this test ([`Engine::chosen`]), whose user reads these languages, such as `en` or `zh-CN,zh`, in the order of
    /// preference.
    ///
    /// # Errors
    /// Fails when it does not start.
    ///
    /// # Panics
    /// Panics if the browser or its driver is missing, with the instructions to install it.
    pub async fn start(languages: &str) -> anyhow::Result<Self> {
        let place = PLACES.acquire().await?;
        let engine = Engine::chosen()?;
        let profile = tempfile::tempdir()?;
        let mut driver = Driver::start(engine, profile.path())?;
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(engine.capabilities(profile.path(), languages)?)
            .connect(&driver.url())
            .await
            .with_context(|| format!("starting {engine:?}"))?;
        let session = client.session_id().await?.context("the driver gives the session no id")?;
        driver.note_session(session.clone());
        let session = format!("{}/session/{session}", driver.url());
        let http = testkit::client_builder().timeout(PATIENCE).build()?;
        let tabs = Mutex::new(vec![client.window().await?]);
        Ok(Self { engine, client, session, http, tabs, _driver: driver, _profile: profile, _place: place })
    }

    /// Opens a URL and waits until it is loaded.
    ///
    /// # Errors
    /// Fails, as all the following do, when the browser cannot do it.
    pub async fn open(&self, url: &str) -> anyhow::Result<()> {
        self.client.goto(url).await.with_context(|| format!("opening {url}"))
    }

    /// The value of a JavaScript expression, which may be a promise.
    pub async fn value(&self, expression: &str) -> anyhow::Result<Value> {
        let value = self.execute(&format!("return ({expression});")).await;
        value.with_context(|| format!("asking for {expression}"))
    }

    /// Opens another tab and goes on in it.
    pub async fn open_tab(&self) -> anyhow::Result<()> {
        let tab = self.client.new_window(true).await?.handle;
        self.tabs.lock().push(tab.clone());
        Ok(self.client.switch_to_window(tab).await?)
    }

    /// Goes on in a tab: 0 is the first one of those that are open.
    pub async fn switch_to_tab(&self, index: usize) -> anyhow::Result<()> {
        let tab = self.tabs.lock().get(index).cloned().context("there is no such tab")?;
        Ok(self.client.switch_to_window(tab).await?)
    }

    /// Closes the tab. Go on in another one.
    pub async fn close_tab(&self) -> anyhow::Result<()> {
        let closed = self.client.window().await?;
        self.client.close_window().await?;
        self.tabs.lock().retain(|tab| *tab != closed);
        Ok(())
    }

    /// Goes back to the page before this one.
    pub async fn back(&self) -> anyhow::Result<()> {
        Ok(self.client.back().await?)
    }

    /// Takes the network away from the page, or gives it back. Only Chromium can do that; the page of another browser gets the event, and keeps
    /// its network.
    pub async fn be_offline(&self, offline: bool) -> anyhow::Result<()> {
        if self.engine != Engine::Chromium {
            let script = format!(
                "Object.defineProperty(navigator, 'onLine', {{ value: {}, configurable: true }});
                dispatchEvent(new Event('{}'));",
                !offline,
                if offline { "offline" } else { "online" }
            );
            return self.run(&script).await;
        }
        let conditions = json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        self.devtools("Network.emulateNetworkConditions", &conditions).await
    }

    /// Runs JavaScript statements.
    pub async fn run(&self, statements: &str) -> anyhow::Result<()> {
        self.execute(statements).await.with_context(|| format!("running {statements}"))?;
        Ok(())
    }

    /// Runs the body of a function, in the page's own global scope: Firefox has another one for what its driver runs.
    async fn execute(&self, body: &str) -> anyhow::Result<Value> {
        Ok(match self.engine {
            Engine::Firefox => {
                let function = json!(format!("(() => {{ {body} }})()"));
                self.client.execute("return window.eval(arguments[0])", vec![function]).await?
            }
            Engine::Chromium | Engine::WebKit => self.client.execute(body, Vec::new()).await?,
        })
    }

    /// Waits until a JavaScript expression is true, or a value that counts as true, which is returned.
    ///
    /// # Errors
    /// Fails when it does not become true, with the text of the page.
    pub async fn until(&self, expression: &str) -> anyhow::Result<Value> {
        self.until_within(PATIENCE, expression).await
    }

    /// As [`Browser::until`], for what takes longer than everything else.
    pub async fn until_within(&self, patience: Duration, expression: &str) -> anyhow::Result<Value> {
        let deadline = Instant::now() + patience;
        let mut checks = interval(CHECK_INTERVAL);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while timeout_at(deadline, checks.tick()).await.is_ok() {
            let value = self.value(expression).await?;
            if !matches!(value, Value::Null | Value::Bool(false)) && value != "" && value != 0 {
                return Ok(value);
            }
        }
        let shown = self.value("document.body?.innerText").await?;
        let shown = shown.as_str().unwrap_or_default();
        bail!("waited {patience:?} for {expression}\nThe page:\n{shown}\nIts console: {:#?}", self.log().await?)
    }

    /// Waits until a connection's state, shown by the element, is `connecting`, `open`, `waiting` or `closed`.
    pub async fn until_state(&self, element: &str, state: &str) -> anyhow::Result<()> {
        self.until(&format!("document.querySelector({element:?})?.dataset.state === {state:?}")).await?;
        Ok(())
    }

    /// Waits until a list shows a text, and returns the whole list.
    pub async fn until_row(&self, list: &str, text: &str) -> anyhow::Result<Vec<Row>> {
        let texts = format!("[...document.querySelectorAll({:?})]", format!("{list} .text"));
        self.until(&format!("{texts}.some((row) => row.textContent === {text:?})")).await?;
        self.rows(list).await
    }

    /// Returns the rows of a list of messages, the oldest first.
    pub async fn rows(&self, list: &str) -> anyhow::Result<Vec<Row>> {
        let rows = format!(
            "[...document.querySelectorAll({:?})].map((row) =>
                ({{ reason: row.dataset.reason, text: row.querySelector('.text').textContent }})).reverse()",
            format!("{list} > li")
        );
        let rows = self.value(&rows).await?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let row = |row: &Value| match &row["reason"] {
            Value::Null => Row::Message(text(&row["text"])),
            reason => Row::Gap(text(reason)),
        };
        Ok(rows.as_array().context("the list is not there")?.iter().map(row).collect())
    }

    /// The text of an element, as it is shown.
    pub async fn text(&self, element: &str) -> anyhow::Result<String> {
        Ok(self.client.find(Locator::Css(element)).await?.text().await?)
    }

    /// Replaces the text of a field.
    pub async fn fill(&self, field: &str, text: &str) -> anyhow::Result<()> {
        let field = self.client.find(Locator::Css(field)).await?;
        field.clear().await?;
        Ok(field.send_keys(text).await?)
    }

    /// Clicks an element.
    pub async fn click(&self, element: &str) -> anyhow::Result<()> {
        Ok(self.client.find(Locator::Css(element)).await?.click().await?)
    }

    /// Types into the element that has the focus. Keys without a character are those of [`Key`].
    pub async fn type_keys(&self, keys: &str) -> anyhow::Result<()> {
        Ok(self.client.active_element().await?.send_keys(keys).await?)
    }

    /// Presses a key on the element that has the focus.
    pub async fn press(&self, key: Key) -> anyhow::Result<()> {
        self.type_keys(&String::from(char::from(key))).await
    }

    /// Runs JavaScript statements before anything else in each page that is opened from now on.
    pub async fn before_pages(&self, statements: &str) -> anyhow::Result<()> {
        self.devtools("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": statements })).await
    }

    /// Returns the console's messages since the last call. Only Chromium tells them; of another browser there are none.
    pub async fn log(&self) -> anyhow::Result<Vec<Logged>> {
        if self.engine != Engine::Chromium {
            return Ok(Vec::new());
        }
        let entries = self.ask("se/log", &json!({ "type": "browser" })).await?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let logged = |entry: &Value| Logged { level: text(&entry["level"]), message: text(&entry["message"]) };
        Ok(entries.as_array().context("a log is a list")?.iter().map(logged).collect())
    }

    /// Sets the size of the visible part of pages that are opened from now on, in CSS pixels. Scroll bars do not reduce
    /// it.
    pub async fn resize(&self, width: u32, height: u32) -> anyhow::Result<()> {
        self.devtools("Emulation.setScrollbarsHidden", &json!({ "hidden": true })).await?;
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &size).await
    }

    /// Sets the user's preference to `light` or `dark` pages.
    pub async fn prefer(&self, scheme: &str) -> anyhow::Result<()> {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", &features).await
    }

    /// A picture of the visible part of the page, as PNG.
    pub async fn screenshot(&self) -> anyhow::Result<Vec<u8>> {
        Ok(self.client.screenshot().await?)
    }

    /// A picture of the whole page, also of what is not visible, as PNG.
    pub async fn whole_screenshot(&self) -> anyhow::Result<Vec<u8>> {
        let command = json!({ "cmd": "Page.captureScreenshot", "params": { "captureBeyondViewport": true } });
        let picture = self.ask("goog/cdp/execute", &command).await?;
        let picture = picture["data"].as_str().context("a picture is a text in base64")?;
        Ok(STANDARD.decode(picture)?)
    }

    async fn devtools(&self, command: &str, parameters: &Value) -> anyhow::Result<()> {
        self.ask("goog/cdp/execute", &json!({ "cmd": command, "params": parameters })).await?;
        Ok(())
    }

    /// Commands that are not in the WebDriver standard.
    async fn ask(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let answer = self.http.post(format!("{}/{path}", self.session)).json(body).send().await?;
        let mut answer: Value = answer.error_for_status().with_context(|| format!("asking for {path}"))?.json().await?;
        Ok(answer["value"].take())
    }
}
