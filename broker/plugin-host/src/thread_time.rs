use std::cell::Cell;
use std::time::Duration;

/// How long this thread has run, not counting when others ran in its place. Takes a third of a
/// microsecond.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "macos"))]
pub(crate) fn thread_time() -> Duration {
    use rustix::time::{ClockId, clock_gettime};

    let time = clock_gettime(ClockId::ThreadCPUTime);
    let whole = |part| u64::try_from(part).unwrap_or_default();
    let nanos = Duration::from_nanos(whole(time.tv_nsec));
    Duration::from_secs(whole(time.tv_sec)) + nanos
}

/// How long it is since a moment; systems differ in how they tell what a thread has run.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "macos")))]
pub(crate) fn thread_time() -> Duration {
    use std::sync::OnceLock;
    use std::time::Instant;

    static BEGAN: OnceLock<Instant> = OnceLock::new();
    BEGAN.get_or_init(Instant::now).elapsed()
}

thread_local! {
    static BUILT: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Makes an instance; the time is told by the next [`take_built`] on this thread.
pub(crate) fn building<T>(build: impl FnOnce() -> T) -> T {
    let began = thread_time();
    let built = build();
    BUILT.set(BUILT.get() + thread_time().saturating_sub(began));
    built
}

/// What the thread ran to make instances since this was last asked.
pub(crate) fn take_built() -> Duration {
    BUILT.take()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{building, take_built, thread_time};

    fn run_for(time: Duration) {
        let began = thread_time();
        while thread_time() - began < time {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn a_thread_that_runs_is_seen_to_run() {
        let before = thread_time();
        run_for(Duration::from_millis(2));
        assert!(thread_time() - before >= Duration::from_millis(2));
    }

    #[test]
    fn what_is_run_to_make_instances_is_told_once() {
        run_for(Duration::from_millis(1));
        assert_eq!(take_built(), Duration::ZERO);
        building(|| run_for(Duration::from_millis(1)));
        building(|| run_for(Duration::from_millis(1)));
        assert!(take_built() >= Duration::from_millis(2));
        assert_eq!(take_built(), Duration::ZERO);
    }
}
