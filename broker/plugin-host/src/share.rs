use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use pintle_mqtt::Timestamp;

/// Calls up to this long are what a plugin is there for, and are not counted.
pub(crate) const SHORT: Duration = Duration::from_micros(50);
/// A plugin's share is one of this.
const WINDOW: Duration = Duration::from_secs(1);
/// How many timed calls after one that seemed long are measured.
const WATCHED_CALLS: u32 = 64;

/// Sees to it that long calls of one plugin leave a worker time for others.
///
/// What it bounds is how long others wait behind the plugin. The longer a call is, the more clients
/// come during it, and the longer each of them waits; so it counts for its length many times over.
#[derive(Debug)]
pub(crate) struct WorkerShare {
    key: u64,
    /// What calls that are barely long may take of each window on each worker.
    share: Duration,
    /// How many calls are still to be measured because one seemed long. Measuring takes longer than
    /// many a call, and most that seem long only lost the processor.
    watched_calls: AtomicU32,
    /// Until when each call is measured, because half of the share is used up.
    strict_until: AtomicU64,
}

/// What long calls count on this thread. It drains by a share in each window.
#[derive(Clone, Copy, Debug)]
struct Used {
    key: u64,
    share: Duration,
    at: Timestamp,
    used: Duration,
}

thread_local! {
    static USED: RefCell<Vec<Used>> = const { RefCell::new(Vec::new()) };
}

impl WorkerShare {
    pub(crate) fn new(share: Duration) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let key = LAST.fetch_add(1, Ordering::Relaxed);
        let (watched_calls, strict_until) = (AtomicU32::new(0), AtomicU64::new(0));
        Self { key, share, watched_calls, strict_until }
    }

    /// Whether calls that are timed are to be measured.
    #[inline]
    pub(crate) fn is_watched(&self) -> bool {
        self.watched_calls.load(Ordering::Relaxed) > 0
    }

    /// Whether each call is to be measured.
    #[inline]
    pub(crate) fn is_strict(&self, now: Timestamp) -> bool {
        now.as_millis() < self.strict_until.load(Ordering::Relaxed)
    }

    /// Whether a call has to wait.
    #[inline]
    pub(crate) fn is_used_up(&self, now: Timestamp) -> bool {
        self.is_strict(now) && self.is_over(now)
    }

    #[cold]
    fn is_over(&self, now: Timestamp) -> bool {
        USED.with_borrow(|all| {
            let used = all.iter().find(|used| used.key == self.key);
            used.is_some_and(|used| used.left(now) >= self.share)
        })
    }

    /// Counts a call on this thread that was `took` away from others. What of it the thread ran is
    /// not known, so that it counts for its length.
    #[inline]
    pub(crate) fn count_seen(&self, took: Duration, now: Timestamp) {
        if took > SHORT {
            self.watch();
            self.count(took, now);
        }
    }

    /// Counts a call for which the thread ran `took`, after it had made the instance for `built`.
    pub(crate) fn count_measured(&self, took: Duration, built: Duration, now: Timestamp) {
        if took > SHORT {
            self.watch();
        } else {
            let calls = self.watched_calls.load(Ordering::Relaxed);
            self.watched_calls.store(calls.saturating_sub(1), Ordering::Relaxed);
        }
        let cost = weight(took) + built;
        if cost > SHORT {
            self.count(cost, now);
        }
    }

    #[cold]
    fn watch(&self) {
        self.watched_calls.store(WATCHED_CALLS, Ordering::Relaxed);
    }

    #[cold]
    fn count(&self, cost: Duration, now: Timestamp) {
        if self.share >= WINDOW {
            return;
        }
        // No call silences the plugin for longer than a window.
        let cost = cost.min(self.share);
        USED.with_borrow_mut(|all| {
            // What has drained is of no use to anybody.
            all.retain(|used| used.key == self.key || !used.left(now).is_zero());
            let used = match all.iter_mut().find(|used| used.key == self.key) {
                Some(used) => {
                    used.used = used.left(now) + cost;
                    used.at = now;
                    used.used
                }
                None => {
                    all.push(Used { key: self.key, share: self.share, at: now, used: cost });
                    cost
                }
            };
            if used >= self.share / 2 {
                // By the end of it, what is used up now is so no more.
                self.strict_until.store(end_of(WINDOW, now), Ordering::Relaxed);
            }
        });
    }
}

impl Used {
    fn left(&self, now: Timestamp) -> Duration {
        let windows = now.since(self.at).as_secs_f64() / WINDOW.as_secs_f64();
        let drained = Duration::try_from_secs_f64(self.share.as_secs_f64() * windows);
        self.used.saturating_sub(drained.unwrap_or(Duration::MAX))
    }
}

fn end_of(time: Duration, now: Timestamp) -> u64 {
    now.as_millis().saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// What a call of this length counts: its length, and as much again for each half of a short call
/// that it is longer than one.
fn weight(took: Duration) -> Duration {
    let (took, short) = (took.as_nanos(), SHORT.as_nanos());
    let Some(over) = took.checked_sub(short).filter(|over| *over > 0) else {
        return Duration::ZERO;
    };
    let nanos = took.saturating_mul(short + 2 * over) / short;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pintle_mqtt::Timestamp;

    use super::{WATCHED_CALLS, WorkerShare};

    const NONE: Duration = Duration::ZERO;

    fn share() -> WorkerShare {
        WorkerShare::new(Duration::from_millis(200))
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn micros(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    /// How many calls of this length are made in ten seconds of the 2000 that are wished for each.
    fn calls_made(share: &WorkerShare, took: Duration) -> u32 {
        let wishes = (0..20_000).map(|wish| at(wish / 2));
        let made = wishes.filter(|now| {
            let is_made = !share.is_used_up(*now);
            if is_made {
                share.count_measured(took, NONE, *now);
            }
            is_made
        });
        u32::try_from(made.count()).unwrap()
    }

    #[test]
    fn calls_that_are_barely_long_take_a_fifth_of_the_time_and_longer_ones_less() {
        // Once the share that a plugin begins with, then as much as drains.
        let of_calls = |length| calls_made(&share(), micros(length));
        assert_eq!(of_calls(51), 20_000, "which is a tenth of the time");
        assert!((7_330..=7_340).contains(&of_calls(100)), "{}", of_calls(100));
        assert!((1_570..=1_575).contains(&of_calls(200)), "{}", of_calls(200));
        assert!((24..=26).contains(&of_calls(1_500)), "{}", of_calls(1_500));
        assert!((11..=12).contains(&of_calls(20_000)), "{}", of_calls(20_000));
    }

    #[test]
    fn a_smaller_share_is_of_fewer_calls_but_of_one_in_each_second_at_least() {
        let of_calls =
            |millis| calls_made(&WorkerShare::new(Duration::from_millis(millis)), micros(1_500));
        assert!((11..=14).contains(&of_calls(100)), "{}", of_calls(100));
        assert!((10..=12).contains(&of_calls(10)), "{}", of_calls(10));
    }

    #[test]
    fn the_whole_second_is_no_bound() {
        let share = WorkerShare::new(Duration::from_secs(1));
        assert_eq!(calls_made(&share, micros(20_000)), 20_000);
    }

    #[test]
    fn what_reads_json_for_300_us_ten_times_a_second_is_never_cut_nor_fifty_of_it_at_once() {
        let share = share();
        for now in (0..60_000).step_by(100) {
            share.count_measured(micros(300), NONE, at(now));
            assert!(!share.is_used_up(at(now)), "{now}");
        }
        for call in 0..50 {
            assert!(!share.is_used_up(at(60_000)), "{call}");
            share.count_measured(micros(300), NONE, at(60_000));
        }
    }

    #[test]
    fn no_call_silences_a_plugin_for_more_than_a_second() {
        let share = share();
        share.count_measured(micros(1_990), NONE, at(0));
        assert!(!share.is_used_up(at(0)));
        share.count_measured(Duration::from_secs(20), NONE, at(0));
        assert!(share.is_used_up(at(700)));
        assert!(!share.is_used_up(at(1_000)));
    }

    #[test]
    fn short_calls_are_not_counted_and_nobody_watches() {
        let share = share();
        for _ in 0..100_000 {
            share.count_measured(micros(50), NONE, at(0));
            share.count_seen(micros(50), at(0));
        }
        assert!(!share.is_used_up(at(0)));
        assert!(!share.is_watched() && !share.is_strict(at(0)));
    }

    #[test]
    fn a_call_that_only_seemed_long_counts_for_its_length() {
        let share = share();
        for _ in 0..60 {
            share.count_seen(micros(3_000), at(10));
        }
        assert!(!share.is_used_up(at(10)));
    }

    #[test]
    fn after_a_call_that_seemed_long_some_are_measured_and_no_more_if_they_were_short() {
        let share = share();
        share.count_seen(micros(60), at(0));
        for _ in 0..WATCHED_CALLS {
            assert!(share.is_watched());
            share.count_measured(micros(10), NONE, at(0));
        }
        assert!(!share.is_watched());
        share.count_measured(micros(60), NONE, at(0));
        assert!(share.is_watched());
    }

    #[test]
    fn when_half_of_the_share_is_used_each_call_is_measured_for_a_second() {
        let share = share();
        share.count_measured(micros(1_500), NONE, at(0));
        assert!(!share.is_strict(at(0)));
        share.count_measured(micros(1_500), NONE, at(10));
        assert!(share.is_strict(at(1_009)));
        assert!(!share.is_strict(at(1_010)));
    }

    #[test]
    fn making_the_instance_counts_for_its_length_and_makes_no_call_long() {
        let share = share();
        share.count_measured(micros(10), micros(150_000), at(0));
        assert!(!share.is_used_up(at(0)) && !share.is_watched());
        share.count_measured(micros(10), micros(60_000), at(0));
        assert!(share.is_used_up(at(0)));
        assert!(!share.is_used_up(at(60)));
    }

    #[test]
    fn one_plugin_does_not_use_the_share_of_another() {
        let (one, other) = (share(), share());
        one.count_seen(Duration::from_millis(200), at(0));
        other.count_seen(Duration::from_millis(1), at(0));
        assert!(one.is_used_up(at(0)));
        assert!(!other.is_used_up(at(0)));
    }
}
