use std::time::Instant;

use pintle_mqtt::Timestamp;

/// The broker's monotonic clock; copies of one clock agree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    began: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { began: Instant::now() }
    }

    pub(super) fn now(self) -> Timestamp {
        Timestamp::default().plus(self.began.elapsed())
    }
}

/// The low 32 bits of a [`Timestamp`]'s milliseconds: four bytes a connection in place of a timer.
///
/// It wraps after 49 days; differences hold as long as they are shorter than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CoarseTime(pub(super) u32);

impl CoarseTime {
    pub(super) const fn of(now: Timestamp) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "wraps, as its documentation says")]
        Self(now.as_millis() as u32)
    }

    pub(super) const fn millis_since(self, earlier: Self) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coarse_difference_survives_the_wrap() {
        let before = CoarseTime::of(Timestamp::from_millis(u64::from(u32::MAX) - 100));
        let after = CoarseTime::of(Timestamp::from_millis(u64::from(u32::MAX) + 400));

        assert_eq!(after.millis_since(before), 500);
    }

    #[test]
    fn the_clock_does_not_run_backwards() {
        let clock = Clock::start();
        let first = clock.now();

        assert!(clock.now() >= first);
    }
}
