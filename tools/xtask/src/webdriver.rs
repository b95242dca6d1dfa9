//! The programs of the browsers and their drivers, found or installed.

use std::{fmt, path::PathBuf};

use anyhow::{Context, bail, ensure};

use crate::{
    browser::Browser,
    install,
    program::{named_or_installed, program},
    workspace,
};

/// A program of a browser: the variable with its path, and its names and paths otherwise.
struct Program {
    variable: &'static str,
    names: &'static [&'static str],
}

/// The programs of Chromium, which is first, because its packages come with the driver of the same version.
const CHROMIUM: [Program; 2] = [
    Program {
        variable: "CHROME",
        names: &[
            "chromium",
            "chromium-browser",
            "google-chrome",
            "google-chrome-stable",
            "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
            "/Applications/Chromium.app/Contents/MacOS/Chromium",
        ],
    },
    Program {
        variable: "CHROMEDRIVER",
        // Some packages install it outside of the path.
        names: &[
            "chromedriver",
            "chromium.chromedriver",
            "/usr/lib/chromium/chromedriver",
            "/usr/lib/chromium-browser/chromedriver",
        ],
    },
];

const FIREFOX: Program = Program {
    variable: "FIREFOX",
    names: &["firefox-esr", "firefox", "/Applications/Firefox.app/Contents/MacOS/firefox"],
};

/// Firefox's driver, which no package of Debian has.
const GECKODRIVER: Program = Program { variable: "GECKODRIVER", names: &["geckodriver"] };
const GECKODRIVER_VERSION: &str = "0.37.1";

/// The driver, which knows where its browser is, and a screen, which that browser cannot do without.
const WEBKIT: [Program; 2] = [
    Program { variable: "WEBKIT_DRIVER", names: &["WebKitWebDriver"] },
    Program { variable: "XVFB", names: &["Xvfb"] },
];

/// The programs of a browser, each with the variable by which tests find it.
#[derive(Debug)]
pub(crate) struct Programs(Vec<(&'static str, PathBuf)>);

impl Programs {
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, PathBuf)> {
        self.0.iter().cloned()
    }

    /// Returns the programs that are named or installed, and the first one that is missing as an error.
    fn find<'a>(programs: impl IntoIterator<Item = &'a Program>) -> anyhow::Result<Result<Self, &'a str>> {
        let mut found = Vec::new();
        for Program { variable, names } in programs {
            match named_or_installed(variable, names)? {
                Some(path) => found.push((*variable, path)),
                None => return Ok(Err(names[0])),
            }
        }
        Ok(Ok(Self(found)))
    }
}

impl fmt::Display for Programs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths: Vec<_> = self.0.iter().map(|(_, path)| path.display().to_string()).collect();
        f.write_str(&paths.join(", "))
    }
}

/// Returns the programs that variables name, or else those that are installed, and installs them if they are not and that is allowed.
pub(crate) fn find_or_install(browser: Browser, may_install: bool) -> anyhow::Result<Programs> {
    match browser {
        Browser::Chromium => found_or_installed(browser, &CHROMIUM, may_install),
        Browser::WebKit => found_or_installed(browser, &WEBKIT, may_install),
        Browser::Firefox => {
            let mut programs = found_or_installed(browser, &[FIREFOX], may_install)?;
            programs.0.push((GECKODRIVER.variable, geckodriver()?));
            Ok(programs)
        }
    }
}

fn found_or_installed(browser: Browser, programs: &[Program], may_install: bool) -> anyhow::Result<Programs> {
    let missing = match Programs::find(programs)? {
        Ok(found) => return Ok(found),
        Err(missing) => missing,
    };
    println!("{missing} is not installed");
    install::browser(browser, may_install)?;
    match Programs::find(programs)? {
        Ok(found) => Ok(found),
        Err(missing) => {
            let variables: Vec<_> = programs.iter().map(|program| program.variable).collect();
            bail!(
                "{browser} was installed, but {missing} is not on the path: name its programs in {}",
                variables.join(" and ")
            )
        }
    }
}

/// Returns geckodriver, and has cargo build it in the target folder if it is not installed.
fn geckodriver() -> anyhow::Result<PathBuf> {
    if let Some(found) = named_or_installed(GECKODRIVER.variable, GECKODRIVER.names)? {
        return Ok(found);
    }
    let folder = workspace::target()?.join("geckodriver");
    let built = || program(&folder.join("bin/geckodriver"));
    if let Some(found) = built() {
        return Ok(found);
    }
    println!("geckodriver is not installed; cargo builds it for {}, which takes some minutes", folder.display());
    let version = format!("={GECKODRIVER_VERSION}");
    let status = workspace::cargo(workspace::root())
        // Unoptimised, since it hands on a few requests.
        .args(["install", "--locked", "--quiet", "--debug", "geckodriver", "--version", &version, "--root"])
        .arg(&folder)
        .env("CARGO_PROFILE_DEV_DEBUG", "none")
        .status()
        .context("starting cargo install")?;
    ensure!(status.success(), "cargo could not build geckodriver: install it, and name it in GECKODRIVER");
    built().context("cargo has built geckodriver, and it is not there")
}
