//! The gaps that were reported to clients lately, with the reasons.

use std::collections::VecDeque;

use parking_lot::Mutex;
use serde::Serialize;
use shared::cursor::Cursor;
use shared::gap::{Gap, GapReason};
use shared::timestamp::Timestamp;
use shared::wall_clock::{SystemClock, WallClock};
use tracing::{debug, info};

use crate::log_budget::ClientLine;

/// The number of gaps that are kept.
const KEPT: usize = 100;

/// The line of the log.
const REPORTED: &str = "gap reported to a client";

/// The latest gaps.
#[derive(Debug, Default)]
pub(crate) struct GapLog {
    oldest_first: Mutex<VecDeque<ReportedGap>>,
}

/// A gap that was reported to a client.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ReportedGap {
    at: Timestamp,
    address: String,
    subject: Option<String>,
    reason: GapReason,
    since: Cursor,
    cursor: Cursor,
}

impl GapLog {
    /// Keeps a gap, and logs it.
    pub(crate) fn add(&self, gap: &Gap, address: String, subject: Option<&str>) {
        let Gap { reason, since, cursor } = *gap;
        if ClientLine::Connection.is_in_budget() {
            info!(?reason, %since, %cursor, address, subject, "{REPORTED}");
        } else {
            debug!(?reason, %since, %cursor, address, subject, "{REPORTED}");
        }
        let reported =
            ReportedGap { at: SystemClock.now(), address, subject: subject.map(str::to_owned), reason, since, cursor };
        let mut gaps = self.oldest_first.lock();
        if gaps.len() == KEPT {
            gaps.pop_front();
        }
        gaps.push_back(reported);
    }

    /// The latest gaps, the newest first.
    pub(crate) fn newest_first(&self) -> Vec<ReportedGap> {
        self.oldest_first.lock().iter().rev().cloned().collect()
    }
}
