//! What the three push servers have in common.
//!
//! A message that is published passes the [`backplane`], which gives it its place; from there it enters the histories of
//! the [`hub`], and every subscriber, a cursor into them, is woken to send it on. Which bytes it is sent as is the
//! business of a service: this crate knows no transport.
//!
//! In reading order:
//! - [`message`], [`timestamp`], [`topic`], [`cursor`], [`gap`]: the nouns of the wire contract
//! - [`hub`]: histories and subscribers
//! - [`backplane`]: order; [`ticker`]: the simulated source
//! - [`page`]: messages as one JSON object
//! - [`config`], [`logging`], [`healthcheck`]: the process
//! - [`app`], [`drain`]: a running service; [`http`]: how it is reached

pub mod app;
pub mod backplane;
pub mod config;
pub mod cursor;
pub mod drain;
pub mod gap;
pub mod healthcheck;
pub mod http;
pub mod hub;
pub mod logging;
pub mod message;
pub mod page;
pub mod ticker;
pub mod timestamp;
pub mod topic;
