use std::sync::atomic::{AtomicU32, Ordering};

/// Which calls are timed: of short ones that follow each other only some, since reading the clock
/// takes longer than many a call.
///
/// A call that is not timed is seen to be long by the ticks that pass during it; then, and after one
/// that was timed and long, the next are all timed.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Calls since the last that was timed.
    untimed: AtomicU32,
    /// How many there may be.
    gap: AtomicU32,
}

/// One call in sixteen is timed at least.
const GAP_MAX: u32 = 15;

impl Pace {
    /// A call begins: whether it is to be timed, and then how many calls it stands for, itself
    /// included. Threads that ask at the same moment may get the same answer.
    #[inline]
    pub(crate) fn begin(&self) -> Option<u32> {
        let untimed = self.untimed.load(Ordering::Relaxed);
        let is_timed = untimed >= self.gap.load(Ordering::Relaxed);
        self.untimed.store(if is_timed { 0 } else { untimed + 1 }, Ordering::Relaxed);
        is_timed.then_some(untimed + 1)
    }

    pub(crate) fn was_short(&self) {
        let gap = self.gap.load(Ordering::Relaxed);
        if gap < GAP_MAX {
            self.gap.store(gap * 2 + 1, Ordering::Relaxed);
        }
    }

    #[cold]
    pub(crate) fn was_long(&self) {
        self.gap.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Pace;

    #[test]
    fn after_some_short_calls_one_in_sixteen_is_timed_and_stands_for_the_others() {
        let pace = Pace::default();
        let mut timed = Vec::new();
        for _ in 0..1000 {
            if let Some(calls) = pace.begin() {
                timed.push(calls);
                pace.was_short();
            }
        }
        assert_eq!(timed[..6], [1, 2, 4, 8, 16, 16]);
        assert!(timed[5..].iter().all(|calls| *calls == 16));
        let untimed = 1000 - timed.iter().sum::<u32>();
        assert!(untimed < 16, "{untimed}");
    }

    #[test]
    fn after_a_long_call_the_next_are_timed() {
        let pace = Pace::default();
        for _ in 0..100 {
            if pace.begin().is_some() {
                pace.was_short();
            }
        }
        pace.was_long();
        for _ in 0..100 {
            assert!(pace.begin().is_some());
            pace.was_long();
        }
    }
}
