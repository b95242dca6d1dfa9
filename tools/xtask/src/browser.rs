//! The browsers that the tests of the pages drive: the programs of each, found or installed.

use std::{fmt, path::PathBuf};

use anyhow::{Context, bail, ensure};
use clap::ValueEnum;

use crate::{
    install,
    program::{named_or_installed, program},
    workspace,
};

/// A browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Browser {
    Chromium,
    Firefox,
    /// WebKitGTK's, the relative of Safari on Linux.
    #[value(name = "webkit")]
    WebKit,
}

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

impl Browser {
    pub(crate) const ALL: [Self; 3] = [Self::Chromium, Self::Firefox, Self::WebKit];

    /// Its name as a value of E2E_BROWSER.
    pub(crate) fn value(self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
            Self::Firefox => "firefox",
            Self::WebKit => "webkit",
        }
    }

    /// The module with the tests that run in this browser whatever E2E_BROWSER is. Those of Chromium have none.
    pub(crate) fn module(self) -> Option<&'static str> {
        match self {
            Self::Chromium => None,
            Self::Firefox => Some("::in_firefox::"),
            Self::WebKit => Some("::in_webkit::"),
        }
    }

    /// Returns the programs that variables name, or else those that are installed, and installs them if they are not and that is allowed.
    pub(crate) fn find_or_install(self, may_install: bool) -> anyhow::Result<Programs> {
        match self {
            Self::Chromium => self.found_or_installed(&CHROMIUM, may_install),
            Self::WebKit => self.found_or_installed(&WEBKIT, may_install),
            Self::Firefox => {
                let mut programs = self.found_or_installed(&[FIREFOX], may_install)?;
                programs.0.push((GECKODRIVER.variable, geckodriver()?));
                Ok(programs)
            }
        }
    }

    fn found_or_installed(self, programs: &[Program], may_install: bool) -> anyhow::Result<Programs> {
        let missing = match Programs::find(programs)? {
            Ok(found) => return Ok(found),
            Err(missing) => missing,
        };
        println!("{missing} is not installed");
        install::browser(self, may_install)?;
        match Programs::find(programs)? {
            Ok(found) => Ok(found),
            Err(missing) => {
                let variables: Vec<_> = programs.iter().map(|program| program.variable).collect();
                bail!(
                    "{self} was installed, but {missing} is not on the path: name its programs in {}",
                    variables.join(" and ")
                )
            }
        }
    }
}

impl fmt::Display for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chromium => "Chromium",
            Self::Firefox => "Firefox",
            Self::WebKit => "WebKit",
        })
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
