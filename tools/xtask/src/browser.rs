//! The browser that the tests of the pages drive.

use std::{
    env, fmt,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

use crate::install;

/// Names and places of the browser. Chromium is first, because its packages come with the driver of the same version.
const CHROME: [&str; 6] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/// Names and places of its driver; the others are where packages put it off the path.
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
    /// What CHROME and CHROMEDRIVER name, or else what is installed, which is seen to.
    pub(crate) fn find_or_install() -> anyhow::Result<Self> {
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
        install::browser()?;
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

/// The program that the variable names, or the first of `candidates` that is here.
pub(crate) fn named_or_installed(variable: &str, candidates: &[&str]) -> anyhow::Result<Option<PathBuf>> {
    match env::var_os(variable).filter(|value| !value.is_empty()) {
        Some(value) => {
            let path = program(Path::new(&value))
                .with_context(|| format!("{variable} is {}, which is not a program here", value.display()))?;
            Ok(Some(path))
        }
        None => Ok(candidates.iter().find_map(|candidate| program(Path::new(candidate)))),
    }
}

/// Where a program lies, looked up on the path if only its name is given.
pub(crate) fn program(name: &Path) -> Option<PathBuf> {
    let runs =
        |path: &PathBuf| path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
    if name.components().count() > 1 {
        return Some(name.to_owned()).filter(runs);
    }
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(runs)
}
