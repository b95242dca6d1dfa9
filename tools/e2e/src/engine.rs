//! The browsers in which tests run: Chromium, Firefox, and WebKit as WebKitGTK has it.

use std::cell::Cell;
use std::env;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};

/// The variable with the name of the browser for tests that choose none.
pub const VARIABLE: &str = "E2E_BROWSER";

thread_local! {
    static CHOSEN: Cell<Option<Engine>> = const { Cell::new(None) };
}

/// A browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Chromium or Chrome.
    Chromium,
    /// Firefox.
    Firefox,
    /// The browser that comes with the WebDriver server of WebKitGTK.
    WebKit,
}

/// A program that a browser needs: the variable with its path, and its names otherwise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program {
    variable: &'static str,
    names: &'static [&'static str],
}

const CHROME: Program =
    Program { variable: "CHROME", names: &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"] };
const CHROMEDRIVER: Program = Program { variable: "CHROMEDRIVER", names: &["chromedriver", "chromium.chromedriver"] };
const FIREFOX: Program = Program { variable: "FIREFOX", names: &["firefox-esr", "firefox"] };
const GECKODRIVER: Program = Program { variable: "GECKODRIVER", names: &["geckodriver"] };
const WEBKIT_DRIVER: Program = Program { variable: "WEBKIT_DRIVER", names: &["WebKitWebDriver"] };
/// The screen of a browser that cannot do without one.
pub(crate) const XVFB: Program = Program { variable: "XVFB", names: &["Xvfb"] };

impl Program {
    /// The program that the variable names, or the one on the path.
    ///
    /// # Panics
    /// Panics if there is none, with the instructions to install it.
    pub(crate) fn path(self) -> PathBuf {
        let Self { variable, names } = self;
        if let Some(named) = env::var_os(variable).filter(|value| !value.is_empty()) {
            return named.into();
        }
        let folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
        let mut places = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
        places.find(|place| place.is_file()).unwrap_or_else(|| {
            panic!(
                "this test needs a browser and its driver, and {} is not on the path: `cargo xtask test` installs what is \
                 missing; by hand, install Debian's packages chromium and chromium-driver, firefox-esr (and geckodriver: cargo \
                 install geckodriver), webkit2gtk-driver and xvfb, or name the program in {variable}",
                names[0],
            )
        })
    }
}

impl Engine {
    /// The browser for the test that runs on this thread: the one that [`Engine::run`] was called for, or else the one that E2E_BROWSER
    /// names, or Chromium.
    ///
    /// # Errors
    /// Fails when the variable names no browser.
    pub fn chosen() -> anyhow::Result<Self> {
        if let Some(chosen) = CHOSEN.get() {
            return Ok(chosen);
        }
        match env::var(VARIABLE).as_deref() {
            Ok("chromium") | Err(env::VarError::NotPresent) => Ok(Self::Chromium),
            Ok("firefox") => Ok(Self::Firefox),
            Ok("webkit") => Ok(Self::WebKit),
            other => bail!("{VARIABLE} is {other:?}: name chromium, firefox or webkit"),
        }
    }

    /// Runs a test in this browser. The test stays on this thread, as one does that `#[tokio::test]` makes.
    pub fn run<T>(self, test: impl FnOnce() -> T) -> T {
        /// Several tests may have one thread, one after the other, and some of them may panic.
        struct Reset;
        impl Drop for Reset {
            fn drop(&mut self) {
                CHOSEN.set(None);
            }
        }
        let _reset = Reset;
        CHOSEN.set(Some(self));
        test()
    }

    /// The WebDriver server.
    pub(crate) fn driver(self) -> PathBuf {
        match self {
            Self::Chromium => CHROMEDRIVER.path(),
            Self::Firefox => GECKODRIVER.path(),
            Self::WebKit => WEBKIT_DRIVER.path(),
        }
    }

    /// The capabilities that the driver is asked for: a browser without a profile, whose user reads these languages, and which reaches no other machine.
    pub(crate) fn capabilities(self, profile: &Path, languages: &str) -> anyhow::Result<Map<String, Value>> {
        let own = match self {
            Self::Chromium => chromium(profile, languages)?,
            Self::Firefox => firefox(languages),
            Self::WebKit => json!({ "browserName": "MiniBrowser" }),
        };
        let Value::Object(mut capabilities) = own else { bail!("capabilities are an object") };
        // No authority knows the certificates of tests.
        capabilities.insert("acceptInsecureCerts".to_owned(), json!(true));
        Ok(capabilities)
    }
}

fn chromium(profile: &Path, languages: &str) -> anyhow::Result<Value> {
    let mut arguments = vec![
        "--headless".to_owned(),
        format!("--user-data-dir={}", profile.display()),
        format!("--lang={}", languages.split(',').next().unwrap_or_default()),
        "--no-first-run".to_owned(),
        "--no-default-browser-check".to_owned(),
        // Containers have little shared memory.
        "--disable-dev-shm-usage".to_owned(),
        "--disable-breakpad".to_owned(),
        "--disable-sync".to_owned(),
        "--disable-component-update".to_owned(),
        "--disable-background-networking".to_owned(),
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost".to_owned(),
        "--no-proxy-server".to_owned(),
    ];
    // Chromium's sandbox does not work for root.
    if std::fs::metadata(profile).context("the profile")?.uid() == 0 {
        arguments.push("--no-sandbox".to_owned());
    }
    Ok(json!({
        "browserName": "chrome",
        "goog:chromeOptions": {
            "binary": CHROME.path(),
            "args": arguments,
            "prefs": { "intl": { "accept_languages": languages } },
        },
        "goog:loggingPrefs": { "browser": "ALL" },
    }))
}

fn firefox(languages: &str) -> Value {
    json!({
        "browserName": "firefox",
        "moz:firefoxOptions": {
            "binary": FIREFOX.path(),
            "args": ["-headless"],
            "prefs": {
                "intl.accept_languages": languages,
                // A page of JSON stays a page of the service, and is not one of Firefox's own.
                "devtools.jsonview.enabled": false,
                // A proxy that is not there. Addresses of this machine need none.
                "network.proxy.type": 1,
                "network.proxy.http": "127.0.0.1",
                "network.proxy.http_port": 9,
                "network.proxy.ssl": "127.0.0.1",
                "network.proxy.ssl_port": 9,
            },
        },
    })
}
