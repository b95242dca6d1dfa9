//! The browser that the tests of the pages drive.

use std::{fmt, path::PathBuf};

use anyhow::bail;

use crate::{install, program::named_or_installed};

/// Names and paths of the browser. Chromium is first, because its packages come with the driver of the same version.
const CHROME: [&str; 6] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/// Names and paths of its driver; some packages install it outside of the path.
const DRIVER: [&str; 4] = [
    "chromedriver",
    "chromium.chromedriver",
    "/usr/lib/chromium/chromedriver",
    "/usr/lib/chromium-browser/chromedriver",
];

/// A browser and the WebDriver server for it.
#[derive(Debug)]
pub(crate) struct Browser {
    pub(crate) chrome: PathBuf,
    pub(crate) driver: PathBuf,
}

impl Browser {
    /// Returns the programs that CHROME and CHROMEDRIVER name, or else those that are installed, and installs them if
    /// they are not and that is allowed.
    pub(crate) fn find_or_install(is_allowed: bool) -> anyhow::Result<Self> {
        let found = Self::find()?;
        if let (Some(chrome), Some(driver)) = found {
            return Ok(Self { chrome, driver });
        }
        let missing = match found {
            (Some(_), None) => "ChromeDriver is",
            (None, Some(_)) => "Chromium is",
            _ => "Chromium and ChromeDriver are",
        };
        println!("{missing} not installed");
        install::browser(is_allowed)?;
        match Self::find()? {
            (Some(chrome), Some(driver)) => Ok(Self { chrome, driver }),
            _ => bail!(
                "Chromium and ChromeDriver were installed but are not on the path: name them in the variables CHROME \
                 and CHROMEDRIVER"
            ),
        }
    }

    fn find() -> anyhow::Result<(Option<PathBuf>, Option<PathBuf>)> {
        Ok((named_or_installed("CHROME", &CHROME)?, named_or_installed("CHROMEDRIVER", &DRIVER)?))
    }
}

impl fmt::Display for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "browser: {}, driver: {}", self.chrome.display(), self.driver.display())
    }
}
