//! The services in the test's own process, and a real browser to look at them.
//!
//! The tests are in `tests/`; `examples/screenshot.rs` takes the picture for the documentation. In reading order:
//! - [`service`]: one of the three, on a port of its own, which can be stopped and started again
//! - [`proxy`]: a connection between browser and service that can be cut
//! - [`driver`]: ChromeDriver, and where it and Chromium are found
//! - [`browser`]: a browser window, and what it is asked

pub mod browser;
pub mod driver;
pub mod proxy;
pub mod service;

use std::time::Duration;

/// How long anything may take before a test gives up on it. It is never waited for in full where things go well.
pub const PATIENCE: Duration = Duration::from_secs(30);
