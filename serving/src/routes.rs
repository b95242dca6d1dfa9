//! The routes of a service: which handler answers which request.
//!
//! - `table`: all routes of a service
//! - `method`: the routes of its own method; `route`: how a route is declared
//! - `messages`, with `body`, `ticket`, `health`, `metrics`, `push_js`, `pages`, with `index`: the routes that all services have
//! - `openapi`: the description of all routes, for programs

mod array;
mod body;
mod health;
mod index;
mod json;
mod messages;
mod method;
mod metrics;
mod openapi;
mod pages;
mod push_js;
mod route;
mod table;
mod ticket;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use body::Form;
pub use index::IndexPage;
pub(crate) use json::json;
pub(crate) use messages::{MESSAGES, publish_whole};
pub(crate) use method::Answered;
pub use method::MethodRoute;
pub(crate) use metrics::{METRICS, metrics};
pub use pages::Asset;
pub(crate) use pages::DEBUG_PAGE;
pub use route::Upgrade;
pub use table::Routes;
