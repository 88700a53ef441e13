#[cfg(target_os = "linux")]
pub(super) use self::linux::Nap;
#[cfg(not(target_os = "linux"))]
pub(super) use self::none::Nap;

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::{Interest, unix::AsyncFd};

    /// A wait of microseconds; the runtime's own timers are only exact to a millisecond.
    pub(in crate::net) struct Nap {
        timer: AsyncFd<OwnedFd>,
    }

    impl Nap {
        /// Nothing if the system has no timer for us.
        pub(in crate::net) fn new() -> Option<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags).ok()?;
            #[expect(
                deprecated,
                reason = "sound for an `OwnedFd`, which keeps its one descriptor open"
            )]
            let timer = AsyncFd::with_interest(timer, Interest::READABLE).ok()?;
            Some(Self { timer })
        }

        /// Waits for `time`; not at all if the timer fails.
        pub(in crate::net) async fn take(&self, time: Duration) {
            if self.set(time).is_ok()
                && let Ok(mut expired) = self.timer.readable().await
            {
                expired.clear_ready();
            }
        }

        fn set(&self, time: Duration) -> io::Result<()> {
            // Zero would be never.
            let nanos = time.subsec_nanos().max(1);
            let secs = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
            let once = Timespec { tv_sec: 0, tv_nsec: 0 };
            let it_value = Timespec { tv_sec: secs, tv_nsec: nanos.into() };
            let setting = Itimerspec { it_interval: once, it_value };
            timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &setting)?;
            Ok(())
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod none {
    use std::time::Duration;

    /// There are no timers of microseconds here.
    pub(in crate::net) struct Nap;

    impl Nap {
        pub(in crate::net) fn new() -> Option<Self> {
            None
        }

        pub(in crate::net) async fn take(&self, _time: Duration) {}
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::{Duration, Instant};

    use super::Nap;

    #[tokio::test]
    async fn a_nap_is_never_too_short_and_can_be_taken_again() {
        let nap = Nap::new().unwrap();
        for micros in [0, 1, 300, 20] {
            let time = Duration::from_micros(micros);
            let start = Instant::now();

            nap.take(time).await;

            assert!(start.elapsed() >= time);
        }
    }
}
