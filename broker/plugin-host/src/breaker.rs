use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use pintle_mqtt::Timestamp;

/// Whether a hook of a plugin is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// It is.
    Closed,
    /// It is not, for now; its failure policy answers.
    Open,
    /// The next call is made, to see whether it works again.
    HalfOpen,
}

impl BreakerState {
    /// Its name in figures and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

const IN_A_ROW_MAX: u32 = 5;
const WINDOW: Duration = Duration::from_secs(10);
const WINDOW_CALLS_MIN: u64 = 20;
const BACK_OFF_MIN_MS: u64 = 1_000;
const BACK_OFF_MAX_MS: u64 = 60_000;
const CLOSED: u64 = 0;

/// Stops calling what keeps failing: after 5 errors in a row, or when half of at least 20 calls in
/// 10 s were errors. While open it lets one call through every back-off, which doubles from 1 s to
/// 60 s; the first of these to succeed closes it.
///
/// A call that works costs two loads.
#[derive(Debug)]
pub(crate) struct Breaker {
    /// When the next trial may begin, in milliseconds; [`CLOSED`] if calls are simply made.
    trial_at: AtomicU64,
    back_off_ms: AtomicU64,
    errors_in_a_row: AtomicU32,
    window: Mutex<Window>,
}

/// What had been counted when the present window began, which it does with an error.
#[derive(Debug, Default)]
struct Window {
    began: Option<Timestamp>,
    calls_before: u64,
    errors_before: u64,
}

/// Leave to make one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Permit {
    is_trial: bool,
}

impl Permit {
    /// Whether the call shows if the plugin works again.
    pub(crate) const fn is_trial(self) -> bool {
        self.is_trial
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            trial_at: AtomicU64::new(CLOSED),
            back_off_ms: AtomicU64::new(BACK_OFF_MIN_MS),
            errors_in_a_row: AtomicU32::new(0),
            window: Mutex::default(),
        }
    }
}

impl Breaker {
    /// Whether a call may be made at `now`.
    #[inline]
    pub(crate) fn admit(&self, now: Timestamp) -> Option<Permit> {
        let trial_at = self.trial_at.load(Ordering::Relaxed);
        if trial_at == CLOSED {
            return Some(Permit { is_trial: false });
        }
        self.admit_trial(trial_at, now)
    }

    #[cold]
    fn admit_trial(&self, trial_at: u64, now: Timestamp) -> Option<Permit> {
        if now.as_millis() < trial_at {
            return None;
        }
        // Should this trial never come back, another begins one back-off later.
        let next = now.as_millis() + self.back_off_ms.load(Ordering::Relaxed);
        self.trial_at
            .compare_exchange(trial_at, next, Ordering::Relaxed, Ordering::Relaxed)
            .ok()
            .map(|_| Permit { is_trial: true })
    }

    /// A call worked.
    #[inline]
    pub(crate) fn succeeded(&self, permit: Permit) {
        if permit.is_trial {
            *self.window.lock() = Window::default();
            self.back_off_ms.store(BACK_OFF_MIN_MS, Ordering::Relaxed);
            self.trial_at.store(CLOSED, Ordering::Relaxed);
        }
        if self.errors_in_a_row.load(Ordering::Relaxed) != 0 {
            self.errors_in_a_row.store(0, Ordering::Relaxed);
        }
    }

    /// A call failed; `calls` and `errors` are the totals so far, this one included.
    pub(crate) fn failed(&self, permit: Permit, now: Timestamp, calls: u64, errors: u64) {
        if permit.is_trial {
            let doubled = self.back_off_ms.load(Ordering::Relaxed) * 2;
            self.open(now, doubled.min(BACK_OFF_MAX_MS));
            return;
        }
        let in_a_row = self.errors_in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
        let is_half = self.window.lock().is_half_errors(now, calls, errors);
        let is_closed = self.trial_at.load(Ordering::Relaxed) == CLOSED;
        if is_closed && (in_a_row >= IN_A_ROW_MAX || is_half) {
            self.open(now, BACK_OFF_MIN_MS);
        }
    }

    fn open(&self, now: Timestamp, back_off_ms: u64) {
        self.back_off_ms.store(back_off_ms, Ordering::Relaxed);
        self.trial_at.store(now.as_millis() + back_off_ms, Ordering::Relaxed);
    }

    pub(crate) fn state(&self, now: Timestamp) -> BreakerState {
        match self.trial_at.load(Ordering::Relaxed) {
            CLOSED => BreakerState::Closed,
            trial_at if now.as_millis() < trial_at => BreakerState::Open,
            _ => BreakerState::HalfOpen,
        }
    }
}

impl Window {
    fn is_half_errors(&mut self, now: Timestamp, calls: u64, errors: u64) -> bool {
        if self.began.is_none_or(|began| now.since(began) > WINDOW) {
            *self = Self {
                began: Some(now),
                calls_before: calls.saturating_sub(1),
                errors_before: errors.saturating_sub(1),
            };
        }
        let calls = calls.saturating_sub(self.calls_before);
        let errors = errors.saturating_sub(self.errors_before);
        calls >= WINDOW_CALLS_MIN && errors * 2 >= calls
    }
}
