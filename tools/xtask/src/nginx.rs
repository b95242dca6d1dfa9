//! nginx, which the tests of `push doctor` put in front of the services.

use std::path::PathBuf;

use anyhow::Context;

use crate::{
    debian,
    program::{named_or_installed, program},
};

/// The variable with its path. nginx itself has a use for one that is named NGINX.
pub(crate) const VARIABLE: &str = "NGINX_PROGRAM";

/// The instructions where this task cannot install it.
const BY_HAND: &str = "install nginx, and name it in the variable NGINX_PROGRAM if it is not on the path";

/// Returns the program that NGINX_PROGRAM names, or else the one that is installed, and unpacks Debian's package in the target folder if
/// there is none.
pub(crate) fn find_or_install() -> anyhow::Result<PathBuf> {
    if let Some(found) = named_or_installed(VARIABLE, &["nginx", "/usr/sbin/nginx"])? {
        return Ok(found);
    }
    let folder = debian::folder("nginx")?;
    let found = || program(&folder.join("usr/sbin/nginx"));
    if let Some(found) = found() {
        return Ok(found);
    }
    debian::unpack("nginx", BY_HAND)?;
    found().with_context(|| format!("the package was unpacked into {} and has no program", folder.display()))
}
