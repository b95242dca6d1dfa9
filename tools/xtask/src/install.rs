//! Installing browsers and their drivers with the system's package manager.

use std::{
    fs::{self, File},
    io::{self, IsTerminal},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, bail, ensure};
use nix::unistd::Uid;

use crate::{browser::Browser, log, program::program, workspace};

/// A package manager, and its arguments.
struct Manager {
    program: &'static str,
    /// Updates its lists, if it does not do so by itself.
    refresh: Option<&'static str>,
    install: &'static str,
    packages: Packages,
    /// Refuses to be run by root, and asks for the privilege itself.
    unprivileged: bool,
}

/// The packages of each browser. Those of Firefox have no driver.
struct Packages {
    chromium: &'static str,
    firefox: Option<&'static str>,
    webkit: Option<&'static str>,
}

const MANAGERS: [Manager; 5] = [
    Manager {
        program: "apt-get",
        refresh: Some("update -qq"),
        install: "install -y -qq --no-install-recommends",
        packages: Packages {
            chromium: "chromium chromium-driver fonts-noto-cjk",
            firefox: Some("firefox-esr"),
            webkit: Some("webkit2gtk-driver xvfb"),
        },
        unprivileged: false,
    },
    Manager {
        program: "dnf",
        refresh: None,
        install: "install -y",
        packages: Packages { chromium: "chromium chromedriver", firefox: Some("firefox"), webkit: None },
        unprivileged: false,
    },
    Manager {
        program: "pacman",
        refresh: None,
        install: "-S --noconfirm --needed",
        packages: Packages { chromium: "chromium", firefox: Some("firefox"), webkit: None },
        unprivileged: false,
    },
    Manager {
        program: "apk",
        refresh: None,
        install: "add --no-cache",
        packages: Packages { chromium: "chromium chromium-chromedriver", firefox: Some("firefox"), webkit: None },
        unprivileged: false,
    },
    Manager {
        program: "brew",
        refresh: None,
        install: "install --cask",
        // The cask of the driver is for Chrome's version, and not for Chromium's.
        packages: Packages { chromium: "google-chrome chromedriver", firefox: Some("firefox"), webkit: None },
        unprivileged: true,
    },
];

/// Ubuntu's names for Debian's packages. Its Firefox is a snap, which tests cannot start.
const UBUNTU: Packages = Packages {
    chromium: "chromium-browser chromium-chromedriver fonts-noto-cjk",
    firefox: None,
    webkit: Some("webkit2gtk-driver xvfb"),
};

/// Installs a browser and its driver if that is allowed, or returns an error with the instructions.
pub(crate) fn browser(browser: Browser, is_allowed: bool) -> anyhow::Result<()> {
    let (needed, variables) = match browser {
        Browser::Chromium => {
            ("Chromium (or Chrome) and the ChromeDriver of the same version", "CHROME and CHROMEDRIVER")
        }
        Browser::Firefox => ("Firefox", "FIREFOX"),
        Browser::WebKit => ("WebKitGTK's WebKitWebDriver, with its MiniBrowser, and Xvfb", "WEBKIT_DRIVER and XVFB"),
    };
    let by_hand = format!("install {needed}, and name what is not on the path in {variables}");
    let Some(manager) = MANAGERS.iter().find(|manager| program(Path::new(manager.program)).is_some()) else {
        bail!("no package manager known to this task is here: {by_hand}");
    };
    let packages = if manager.program == "apt-get" && is_ubuntu() { &UBUNTU } else { &manager.packages };
    let packages = match browser {
        Browser::Chromium => Some(packages.chromium),
        Browser::Firefox => packages.firefox,
        Browser::WebKit => packages.webkit,
    };
    let Some(packages) = packages else { bail!("this task knows no package of {} for it: {by_hand}", manager.program) };
    let install = format!("{} {packages}", manager.install);
    let log = workspace::target()?.join("install.log");
    let command = format!("{} {install}", manager.program);
    ensure!(
        is_allowed,
        "nothing is to be installed on this system; by hand it is: {command}, or name {needed} in {variables}"
    );
    println!(
        "installing {browser} on this system, which may take some minutes: {command}\n(its output is in {}; to install nothing, end this with \
         Ctrl-C and use --no-install)",
        log.display()
    );
    if browser != Browser::Chromium {
        println!("(`cargo xtask test --without {}` leaves it out)", browser.value());
    }

    let output = File::create(&log).with_context(|| format!("writing {}", log.display()))?;
    if let Some(refresh) = manager.refresh {
        // A source that cannot be reached makes this fail, but others may have the packages.
        let _ = run(manager, refresh, &output)?;
    }
    if !run(manager, &install, &output)? {
        bail!("the installation failed; by hand it is: {command}\n{}", log::last_lines(&log, 20));
    }
    Ok(())
}

/// Has the package manager update its lists. Returns whether it did.
pub(crate) fn refresh(output: &File) -> anyhow::Result<bool> {
    let manager = MANAGERS.iter().find(|manager| program(Path::new(manager.program)).is_some());
    match manager.and_then(|manager| Some((manager, manager.refresh?))) {
        Some((manager, refresh)) => run(manager, refresh, output),
        None => Ok(true),
    }
}

/// Runs the manager, through sudo if that is needed and installed. Returns whether it succeeded.
fn run(manager: &Manager, arguments: &str, output: &File) -> anyhow::Result<bool> {
    let mut command = if manager.unprivileged || Uid::effective().is_root() || program(Path::new("sudo")).is_none() {
        Command::new("env")
    } else {
        let mut sudo = Command::new("sudo");
        if !io::stdin().is_terminal() {
            sudo.arg("--non-interactive");
        }
        sudo.arg("env");
        sudo
    };
    command.arg("DEBIAN_FRONTEND=noninteractive").arg(manager.program).args(arguments.split(' '));
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output.try_clone()?);
    let status = command.status().with_context(|| format!("starting {}", manager.program))?;
    Ok(status.success())
}

fn is_ubuntu() -> bool {
    fs::read_to_string("/etc/os-release").is_ok_and(|release| release.lines().any(|line| line == "ID=ubuntu"))
}
