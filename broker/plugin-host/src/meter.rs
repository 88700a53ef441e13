use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use pintle_mqtt::Timestamp;

use crate::breaker::{Breaker, BreakerState, Permit};
use crate::fault::ErrorKind;
use crate::hook::Hook;
use crate::pace::Pace;
use crate::share::SHORT;

/// What a plugin answered, as the figures tell answers apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    Next,
    Allow,
    Deny,
    Disconnect,
    Challenge,
    Pass,
    Rewrite,
    Drop,
    Reject,
    Done,
}

impl Answered {
    const ALL: [Self; 10] = [
        Self::Next,
        Self::Allow,
        Self::Deny,
        Self::Disconnect,
        Self::Challenge,
        Self::Pass,
        Self::Rewrite,
        Self::Drop,
        Self::Reject,
        Self::Done,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Disconnect => "disconnect",
            Self::Challenge => "challenge",
            Self::Pass => "pass",
            Self::Rewrite => "rewrite",
            Self::Drop => "drop",
            Self::Reject => "reject",
            Self::Done => "done",
        }
    }
}

/// The figures of one hook of one plugin since it was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookStats {
    /// Which hook.
    pub hook: Hook,
    /// Calls that were made, failed ones included.
    pub calls: u64,
    /// Answers by their name: `pass`, `allow`, `deny`, …; those that came at least once.
    pub verdicts: Vec<(&'static str, u64)>,
    /// Errors by kind, those that came at least once. `breaker-open` and `share` count calls not
    /// made.
    pub errors: Vec<(ErrorKind, u64)>,
    /// Calls that took longer than their budget.
    pub late: u64,
    /// Nanoseconds in all calls together. Of a script's short calls about one in sixteen is timed, and
    /// stands for those between.
    pub total_ns: u64,
    /// Nanoseconds of the slowest call that was timed.
    pub max_ns: u64,
    /// Whether it is called.
    pub breaker: BreakerState,
}

/// Counts the calls of one hook of one plugin.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    breaker: Breaker,
    errors: [ErrorCount; ErrorKind::ALL.len()],
    counts: [Counts; COUNTS],
}

/// What calls on some threads come to. A cache line pair of its own, so that neither hooks nor
/// threads slow each other down.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Counts {
    total_ns: AtomicU64,
    max_ns: AtomicU64,
    late: AtomicU64,
    verdicts: [AtomicU64; Answered::ALL.len()],
    pub(crate) pace: Pace,
}

#[derive(Debug, Default)]
struct ErrorCount {
    count: AtomicU64,
    log_at_ms: AtomicU64,
}

const LOG_INTERVAL_MS: u64 = 10_000;
/// Threads beyond it count together with others.
const COUNTS: usize = 8;

thread_local! {
    static PLACE: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Which of the counts are this thread's.
#[inline]
fn place() -> usize {
    match PLACE.get() {
        usize::MAX => new_place(),
        place => place,
    }
}

#[cold]
fn new_place() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let place = NEXT.fetch_add(1, Ordering::Relaxed) % COUNTS;
    PLACE.set(place);
    place
}

impl Counts {
    #[inline]
    pub(crate) fn answered(&self, answered: Answered) {
        if let Some(count) = self.verdicts.get(answered as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts the time of a call that stands for `calls` in all, the others of which were short.
    #[inline]
    pub(crate) fn took(&self, took: Duration, calls: u32, budget: Duration) {
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let others = ns(took.min(SHORT)) * u64::from(calls - 1);
        let ns = ns(took);
        self.total_ns.fetch_add(ns + others, Ordering::Relaxed);
        if ns > self.max_ns.load(Ordering::Relaxed) {
            self.max_ns.fetch_max(ns, Ordering::Relaxed);
        }
        if took > budget {
            self.late.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Meter {
    pub(crate) fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// This thread's counts.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "a place is below the number of counts")]
    pub(crate) fn here(&self) -> &Counts {
        &self.counts[place() % COUNTS]
    }

    fn sum(&self, of: impl Fn(&Counts) -> &AtomicU64) -> u64 {
        self.counts.iter().map(|counts| of(counts).load(Ordering::Relaxed)).sum()
    }

    /// Counts an error, and says how many there were of its kind if it is time to log one.
    pub(crate) fn failed(
        &self,
        permit: Option<Permit>,
        kind: ErrorKind,
        now: Timestamp,
    ) -> Option<u64> {
        let error = self.errors.get(kind as usize)?;
        let count = error.count.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(permit) = permit {
            self.breaker.failed(permit, now, self.calls(), self.errors());
        }
        let log_at = error.log_at_ms.load(Ordering::Relaxed);
        let next = now.as_millis() + LOG_INTERVAL_MS;
        let is_due = now.as_millis() >= log_at
            && error
                .log_at_ms
                .compare_exchange(log_at, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        is_due.then_some(count)
    }

    fn errors(&self) -> u64 {
        let made = ErrorKind::ALL
            .iter()
            .zip(&self.errors)
            .filter(|(kind, _)| !matches!(kind, ErrorKind::BreakerOpen | ErrorKind::Share));
        made.map(|(_, error)| error.count.load(Ordering::Relaxed)).sum()
    }

    fn calls(&self) -> u64 {
        let answered = self.counts.iter().flat_map(|counts| &counts.verdicts);
        answered.map(|count| count.load(Ordering::Relaxed)).sum::<u64>() + self.errors()
    }

    pub(crate) fn stats(&self, hook: Hook, now: Timestamp) -> HookStats {
        let mut verdicts = Answered::ALL.map(|answered| (answered.name(), 0));
        for counts in &self.counts {
            for ((_, sum), count) in verdicts.iter_mut().zip(&counts.verdicts) {
                *sum += count.load(Ordering::Relaxed);
            }
        }
        let max_ns = self.counts.iter().map(|counts| counts.max_ns.load(Ordering::Relaxed));
        let errors = ErrorKind::ALL.iter().zip(&self.errors);
        HookStats {
            hook,
            calls: self.calls(),
            verdicts: verdicts.into_iter().filter(|(_, count)| *count > 0).collect(),
            errors: errors
                .map(|(kind, error)| (*kind, error.count.load(Ordering::Relaxed)))
                .filter(|(_, count)| *count > 0)
                .collect(),
            late: self.sum(|counts| &counts.late),
            total_ns: self.sum(|counts| &counts.total_ns),
            max_ns: max_ns.max().unwrap_or_default(),
            breaker: self.breaker.state(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use pintle_mqtt::Timestamp;

    use super::Meter;
    use crate::breaker::BreakerState;
    use crate::fault::ErrorKind;
    use crate::hook::Hook;

    #[test]
    fn calls_that_the_share_forbids_are_no_failures_of_the_plugin() {
        let (meter, now) = (Meter::default(), Timestamp::from_millis(1));
        for _ in 0..100 {
            meter.failed(None, ErrorKind::Share, now);
        }
        let permit = meter.breaker().admit(now);
        meter.failed(permit, ErrorKind::Trap, now);
        let stats = meter.stats(Hook::Publish, now);
        assert_eq!((stats.calls, stats.breaker), (1, BreakerState::Closed));
        assert_eq!(stats.errors, [(ErrorKind::Trap, 1), (ErrorKind::Share, 100)]);
    }
}
