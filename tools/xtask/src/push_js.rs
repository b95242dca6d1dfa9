//! `cargo xtask push-js`: the tests of push.js at length, in every browser.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use crate::{browser::Browser, nginx, webdriver, workspace};

/// Tests push.js at length: every behaviour in each browser, a minute of a bad network, a thousand bursts
///
/// `cargo xtask test` has all of it in Chromium with a short time of a bad network and a few bursts, and a part in Firefox and WebKit. This
/// takes about half an hour. What is missing of the browsers, their drivers and nginx is installed as `cargo xtask test` does it.
#[derive(Debug, Args)]
pub(crate) struct PushJs {
    /// The browsers
    #[arg(long = "browser", value_enum, value_name = "BROWSER", default_values = ["chromium", "firefox", "webkit"])]
    browsers: Vec<Browser>,

    /// The seconds of a bad network, for each method
    #[arg(long, value_name = "N", default_value = "60")]
    cuts: u32,

    /// The subscriptions that begin within bursts
    #[arg(long, value_name = "N", default_value = "1000")]
    tries: u32,

    /// Run only the tests with this in their names
    #[arg(value_name = "TEST", default_value = "push_js::")]
    tests: String,
}

impl PushJs {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let nginx = nginx::find_or_install()?;
        let mut failed = Vec::new();
        for browser in &self.browsers {
            let programs = webdriver::find_or_install(*browser, true)
                .with_context(|| format!("{browser} is not there; `--browser` names the ones to test in"))?;
            println!("\n== {browser}: {programs}");
            let status = workspace::cargo(workspace::root())
                .args(["test", "--locked", "-p", "e2e", "--test", "browser", "--", &self.tests, "--show-output"])
                // They are for one browser each, whichever is chosen.
                .args(Browser::ALL.into_iter().filter_map(Browser::module).flat_map(|module| ["--skip", module]))
                .env("E2E_BROWSER", browser.value())
                .env("PUSH_JS_CUTS_SECONDS", self.cuts.to_string())
                .env("PUSH_JS_TRIES", self.tries.to_string())
                .env(nginx::VARIABLE, &nginx)
                .envs(programs.variables())
                .status()
                .context("starting cargo test")?;
            if !status.success() {
                failed.push(browser.to_string());
            }
        }
        if failed.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        println!("\npush.js failed in {}", failed.join(" and "));
        Ok(ExitCode::FAILURE)
    }
}
