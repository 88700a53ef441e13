use std::sync::atomic::{AtomicU64, Ordering};

use pintle_mqtt::{ReasonCode, Timestamp};
use pintle_ports::Identity;
use tracing::warn;

/// Tells the operator who was denied what, and by what; ten lines a second at most.
#[derive(Debug, Default)]
pub(crate) struct Denials {
    second: AtomicU64,
    logged: AtomicU64,
    suppressed: AtomicU64,
}

/// What was denied.
pub(crate) struct Denial<'a> {
    pub(crate) what: &'static str,
    pub(crate) topic: Option<&'a str>,
    pub(crate) reason: ReasonCode,
    pub(crate) decided_by: &'a str,
}

impl Denials {
    const LINES_PER_SECOND_MAX: u64 = 10;

    /// Logs `denial`, or counts it if there are too many.
    pub(crate) fn tell(&self, who: &Identity, denial: &Denial<'_>, now: Timestamp) {
        let second = now.as_millis() / 1000;
        if self.second.swap(second, Ordering::Relaxed) != second {
            self.logged.store(0, Ordering::Relaxed);
        }
        if self.logged.fetch_add(1, Ordering::Relaxed) >= Self::LINES_PER_SECOND_MAX {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let suppressed = self.suppressed.swap(0, Ordering::Relaxed);
        warn!(
            client_id = %who.client_id,
            user = who.principal().unwrap_or("-"),
            topic = denial.topic.unwrap_or("-"),
            reason = ?denial.reason,
            decided_by = denial.decided_by,
            not_shown_before = suppressed,
            "{} denied.", denial.what,
        );
    }
}
