//! What a push server needs beside its method.
//!
//! In reading order:
//! - [`config`], [`logging`], [`healthcheck`]: the process
//! - [`app`], [`drain`]: a running service; [`http`]: how it is reached
//! - [`page`]: messages as one JSON object

pub mod app;
pub mod config;
pub mod drain;
pub mod healthcheck;
pub mod http;
pub mod logging;
pub mod page;
