//! The browsers that the tests of the pages drive.

use std::fmt;

use clap::ValueEnum;

/// A browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Browser {
    Chromium,
    Firefox,
    /// WebKitGTK's, the relative of Safari on Linux.
    #[value(name = "webkit")]
    WebKit,
}

impl Browser {
    pub(crate) const ALL: [Self; 3] = [Self::Chromium, Self::Firefox, Self::WebKit];

    /// Its name as a value of --without and of E2E_BROWSER.
    pub(crate) fn value(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// The module with the tests that run in this browser whatever E2E_BROWSER is. Those of Chromium have none.
    pub(crate) fn module(self) -> Option<&'static str> {
        match self {
            Self::Chromium => None,
            Self::Firefox => Some("::in_firefox::"),
            Self::WebKit => Some("::in_webkit::"),
        }
    }
}

impl fmt::Display for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
