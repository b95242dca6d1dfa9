//! Prometheus, which the tests of the metrics need: `prometheus` and `promtool`.

use std::path::PathBuf;

use anyhow::Context;

use crate::{
    debian,
    program::{named_or_installed, program},
};

/// The instructions where this task cannot install it.
const BY_HAND: &str =
    "install Prometheus, and name its programs in the variables PROMETHEUS and PROMTOOL if they are not on the path";

/// The two programs.
#[derive(Debug)]
pub(crate) struct Prometheus {
    pub(crate) server: PathBuf,
    pub(crate) tool: PathBuf,
}

impl Prometheus {
    /// Returns the programs that PROMETHEUS and PROMTOOL name, or else those that are installed. If there are none, unpacks Debian's package
    /// in the target folder.
    pub(crate) fn find_or_install() -> anyhow::Result<Self> {
        let named = |variable, name| named_or_installed(variable, &[name]);
        if let (Some(server), Some(tool)) = (named("PROMETHEUS", "prometheus")?, named("PROMTOOL", "promtool")?) {
            return Ok(Self { server, tool });
        }
        let folder = debian::folder("prometheus")?;
        let found = || {
            let [server, tool] = ["prometheus", "promtool"].map(|name| program(&folder.join("usr/bin").join(name)));
            Some(Self { server: server?, tool: tool? })
        };
        if let Some(found) = found() {
            return Ok(found);
        }
        debian::unpack("prometheus", BY_HAND)?;
        found().with_context(|| format!("the package was unpacked into {} and has no programs", folder.display()))
    }
}
