use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use pintle_mqtt::Timestamp;

use crate::ticker::TICK;

/// Calls up to this long are what a plugin is there for, and are not counted.
pub(crate) const SHORT: Duration = Duration::from_micros(50);
/// A plugin's share is one of this.
const WINDOW: Duration = Duration::from_secs(1);
/// Sees to it that long calls of one plugin leave a worker time for others.
#[derive(Debug)]
pub(crate) struct WorkerShare {
    key: u64,
    /// What long calls may take of each window on each worker.
    share: Duration,
    /// Whether there was a long call at all.
    is_watched: AtomicBool,
}

/// What long calls have taken on this thread in the present window.
#[derive(Clone, Copy, Debug)]
struct Used {
    key: u64,
    began: Timestamp,
    used: Duration,
}

thread_local! {
    static USED: RefCell<Vec<Used>> = const { RefCell::new(Vec::new()) };
}

impl WorkerShare {
    pub(crate) fn new(share: Duration) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let key = LAST.fetch_add(1, Ordering::Relaxed);
        Self { key, share, is_watched: AtomicBool::new(false) }
    }

    /// Whether a call has to wait for the next window. One load, unless there were long calls.
    #[inline]
    pub(crate) fn is_used_up(&self, now: Timestamp) -> bool {
        self.is_watched.load(Ordering::Relaxed) && self.is_over(now)
    }

    #[cold]
    fn is_over(&self, now: Timestamp) -> bool {
        USED.with_borrow(|all| {
            let used = all.iter().find(|used| used.key == self.key);
            used.is_some_and(|used| used.used >= self.share && now.since(used.began) < WINDOW)
        })
    }

    /// Counts a call on this thread, which stands for `calls` in all. The others may have been as
    /// long, but for what would have been seen by a tick.
    #[inline]
    pub(crate) fn count(&self, took: Duration, calls: u32, now: Timestamp) {
        if took > SHORT {
            self.count_long(took + took.min(TICK) * (calls - 1), now);
        }
    }

    #[cold]
    fn count_long(&self, took: Duration, now: Timestamp) {
        self.is_watched.store(true, Ordering::Relaxed);
        USED.with_borrow_mut(|all| {
            // What other plugins used in windows that are over is of no use to anybody.
            all.retain(|used| used.key == self.key || now.since(used.began) < WINDOW);
            match all.iter_mut().find(|used| used.key == self.key) {
                Some(used) if now.since(used.began) < WINDOW => used.used += took,
                Some(used) => *used = Used { key: self.key, began: now, used: took },
                None => all.push(Used { key: self.key, began: now, used: took }),
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pintle_mqtt::Timestamp;

    use super::WorkerShare;

    fn share() -> WorkerShare {
        WorkerShare::new(Duration::from_millis(200))
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn long_calls_use_up_a_fifth_of_a_second_and_the_next_second_is_another() {
        let share = share();
        for call in 0..100 {
            assert!(!share.is_used_up(at(call)), "{call}");
            share.count(Duration::from_millis(2), 1, at(call));
        }
        assert!(share.is_used_up(at(999)));
        assert!(!share.is_used_up(at(1000)));
        share.count(Duration::from_millis(2), 1, at(1000));
        assert!(!share.is_used_up(at(1001)));
    }

    #[test]
    fn short_calls_are_not_counted() {
        let share = share();
        for _ in 0..100_000 {
            share.count(Duration::from_micros(50), 16, at(0));
        }
        assert!(!share.is_used_up(at(0)));
    }

    #[test]
    fn a_long_call_counts_for_those_that_were_not_timed_up_to_a_tick_each() {
        let (short, long) = (share(), share());
        short.count(Duration::from_micros(500), 16, at(0));
        long.count(Duration::from_millis(180), 16, at(0));
        assert!(!short.is_used_up(at(1)) && !long.is_used_up(at(1)));
        short.count(Duration::from_millis(192), 1, at(0));
        long.count(Duration::from_millis(5), 1, at(0));
        assert!(short.is_used_up(at(1)) && long.is_used_up(at(1)));
    }

    #[test]
    fn one_plugin_does_not_use_the_share_of_another() {
        let (one, other) = (share(), share());
        one.count(Duration::from_millis(200), 1, at(0));
        other.count(Duration::from_millis(1), 1, at(0));
        assert!(one.is_used_up(at(1)));
        assert!(!other.is_used_up(at(1)));
    }
}
