use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::share::SHORT;

/// Which calls are timed: of short ones that follow each other only some, since reading the clock
/// takes longer than many a call.
///
/// A call that is not timed is seen to be long by the ticks that pass during it; then, and after one
/// that was timed and long, the next are all timed.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Calls since the last that was timed.
    untimed: AtomicU32,
    /// How many there may be.
    gap: AtomicU32,
    /// Where in a sequence of gaps it is that nobody foresees.
    chance: AtomicU32,
}

/// About one call in sixteen is timed. Which one is not known, lest long calls that come in turn
/// with short ones be always between.
const GAPS: std::ops::RangeInclusive<u32> = 8..=23;

impl Default for Pace {
    fn default() -> Self {
        Self::beginning_at(RandomState::new().hash_one(0_u8) as u32)
    }
}

impl Pace {
    fn beginning_at(chance: u32) -> Self {
        Self { untimed: AtomicU32::new(0), gap: AtomicU32::new(0), chance: AtomicU32::new(chance) }
    }

    /// A call begins: whether it is to be timed, and then how many calls it stands for, itself
    /// included. Threads that ask at the same moment may get the same answer.
    #[inline]
    pub(crate) fn begin(&self) -> Option<u32> {
        let untimed = self.untimed.load(Ordering::Relaxed);
        let is_timed = untimed >= self.gap.load(Ordering::Relaxed);
        self.untimed.store(if is_timed { 0 } else { untimed + 1 }, Ordering::Relaxed);
        is_timed.then_some(untimed + 1)
    }

    /// A call begins that is timed in any case: how many calls it stands for, itself included.
    pub(crate) fn begin_timed(&self) -> u32 {
        let untimed = self.untimed.load(Ordering::Relaxed);
        self.untimed.store(0, Ordering::Relaxed);
        untimed + 1
    }

    /// Takes note of how long a call was.
    #[inline]
    pub(crate) fn was(&self, took: Duration) {
        if took <= SHORT {
            let gap = self.gap.load(Ordering::Relaxed);
            let next = if gap < *GAPS.start() { gap * 2 + 1 } else { self.any_gap() };
            self.gap.store(next, Ordering::Relaxed);
        } else {
            self.was_long();
        }
    }

    fn any_gap(&self) -> u32 {
        let chance = self.chance.load(Ordering::Relaxed);
        let chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.chance.store(chance, Ordering::Relaxed);
        // The upper bits are the ones that look random.
        GAPS.start() + (chance >> 28)
    }

    #[cold]
    fn was_long(&self) {
        self.gap.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{GAPS, Pace};

    const SHORT: Duration = Duration::from_micros(1);
    const LONG: Duration = Duration::from_micros(51);

    #[test]
    fn after_some_short_calls_about_one_in_sixteen_is_timed_and_stands_for_the_others() {
        let pace = Pace::default();
        let mut timed = Vec::new();
        for _ in 0..10_000 {
            if let Some(calls) = pace.begin() {
                timed.push(calls);
                pace.was(SHORT);
            }
        }
        assert_eq!(timed[..5], [1, 2, 4, 8, 16]);
        assert!(timed[5..].iter().all(|calls| GAPS.contains(&(calls - 1))), "{timed:?}");
        assert!((500..800).contains(&timed.len()), "{}", timed.len());
        let untimed = 10_000 - timed.iter().sum::<u32>();
        assert!(untimed <= *GAPS.end(), "{untimed}");
    }

    #[test]
    fn what_comes_at_each_sixteenth_call_is_timed_now_and_then() {
        for chance in 0..1000 {
            let pace = Pace::beginning_at(chance << 20 | chance);
            let is_timed = |_| {
                let is_timed = pace.begin().is_some();
                if is_timed {
                    pace.was(SHORT);
                }
                is_timed
            };
            let timed: Vec<bool> = (0..16 * 200).map(is_timed).collect();
            for place in 0..16 {
                assert!(timed.iter().skip(place).step_by(16).any(|is_timed| *is_timed), "{chance}");
            }
        }
    }

    #[test]
    fn after_a_long_call_the_next_are_timed() {
        let pace = Pace::default();
        for _ in 0..100 {
            if pace.begin().is_some() {
                pace.was(SHORT);
            }
        }
        pace.was(LONG);
        for _ in 0..100 {
            assert!(pace.begin().is_some());
            pace.was(LONG);
        }
    }

    #[test]
    fn a_call_that_is_timed_in_any_case_stands_for_those_before_it() {
        let pace = Pace::default();
        pace.gap.store(15, std::sync::atomic::Ordering::Relaxed);
        for _ in 0..7 {
            assert_eq!(pace.begin(), None);
        }
        assert_eq!((pace.begin_timed(), pace.begin_timed()), (8, 1));
    }
}
