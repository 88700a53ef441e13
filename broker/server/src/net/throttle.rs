use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pintle_mqtt::Timestamp;

/// Lets a message through once in a while, and counts the others.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    /// From which millisecond the next is let through.
    next_at: AtomicU64,
    untold: AtomicU64,
}

const INTERVAL: Duration = Duration::from_secs(5);

impl Throttle {
    /// How many were held back since the last one, if this one is let through.
    pub(super) fn admit(&self, now: Timestamp) -> Option<u64> {
        let next_at = self.next_at.load(Ordering::Relaxed);
        let is_ours = now.as_millis() >= next_at
            && self
                .next_at
                .compare_exchange(
                    next_at,
                    now.plus(INTERVAL).as_millis(),
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                )
                .is_ok();
        if is_ours {
            return Some(self.untold.swap(0, Ordering::Relaxed));
        }
        self.untold.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_told_at_a_time_with_the_count_of_the_others() {
        let throttle = Throttle::default();

        assert_eq!(throttle.admit(Timestamp::from_millis(10)), Some(0));
        assert_eq!(throttle.admit(Timestamp::from_millis(20)), None);
        assert_eq!(throttle.admit(Timestamp::from_millis(5009)), None);
        assert_eq!(throttle.admit(Timestamp::from_millis(5010)), Some(2));
    }
}
