//! `cargo xtask openapi`: the services against their descriptions; and the programs for that.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use crate::{pip::Package, workspace};

const BY_HAND: &str = "install Python 3 with pip";

const VALIDATOR: Package = Package {
    program: "openapi-spec-validator",
    requirement: "openapi-spec-validator==0.9.0",
    dependencies: true,
    by_hand: BY_HAND,
};

const SCHEMATHESIS: Package =
    Package { program: "schemathesis", requirement: "schemathesis==4.32.5", dependencies: true, by_hand: BY_HAND };

/// Tries each service by its description: requests that fit /openapi.json and requests that do not
///
/// schemathesis makes them up, so each run has others. `cargo xtask test` has a short version, the same at each run. The
/// programs for this, schemathesis and openapi-spec-validator, are installed into the target folder with pip where they are
/// missing.
#[derive(Debug, Args)]
pub(crate) struct Openapi {
    /// Requests for each route
    #[arg(long, value_name = "N", default_value = "500")]
    examples: u32,
}

/// The programs for the tests of the descriptions.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) validator: PathBuf,
    pub(crate) schemathesis: PathBuf,
}

impl Programs {
    pub(crate) fn find_or_install() -> anyhow::Result<Self> {
        Ok(Self { validator: VALIDATOR.find_or_install()?, schemathesis: SCHEMATHESIS.find_or_install()? })
    }
}

impl Openapi {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let programs = Programs::find_or_install()?;
        let status = workspace::cargo(workspace::root())
            .args(["test", "--locked", "-p", "e2e", "--test", "openapi"])
            .env("OPENAPI_SPEC_VALIDATOR", &programs.validator)
            .env("SCHEMATHESIS", &programs.schemathesis)
            .env("SCHEMATHESIS_EXAMPLES", self.examples.to_string())
            .status()
            .context("starting cargo test")?;
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
    }
}
