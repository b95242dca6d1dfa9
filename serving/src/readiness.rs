//! The readiness of a service that can serve clients.

use std::borrow::Cow;

use serde::Serialize;

/// The readiness of a service that can serve clients. As JSON: `{"status":"ready"}`, or
/// `{"status":"degraded","publishing":false,"message":"…"}`.
#[derive(Debug, Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub(crate) enum Readiness {
    /// It does everything.
    Ready,
    /// It serves clients from memory, which may not have the newest messages.
    Degraded {
        /// Publications are tried, not refused at once.
        publishing: bool,
        /// The reason, for people.
        message: Cow<'static, str>,
    },
}
