//! The services in the test's own process, and a real browser that opens their pages.
//!
//! The tests are in `tests/`; `examples/screenshot.rs` takes the picture for the documentation. In reading order:
//! - [`service`]: one of the three, on a port of its own, which can be stopped and started again
//! - [`proxy`]: a proxy between browser and service, which cuts, falls silent, and holds back
//! - [`nginx`]: a real nginx in front of the three
//! - [`engine`]: the browsers, and the paths of their programs; [`driver`]: the WebDriver server of one
//! - [`browser`]: a browser window

pub mod browser;
pub mod driver;
pub mod engine;
pub mod nginx;
pub mod proxy;
pub mod service;

use std::time::Duration;

/// The longest time for anything before a test gives up. A test that passes never waits for so long.
pub const PATIENCE: Duration = Duration::from_secs(30);
