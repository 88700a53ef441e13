#[cfg(target_os = "linux")]
pub(super) use self::linux::Nap;
#[cfg(not(target_os = "linux"))]
pub(super) use self::none::Nap;

#[cfg(target_os = "linux")]
mod linux {
    use std::time::Duration;

    use tokio::io::{Interest, unix::AsyncFd};

    use crate::exact_timer::ExactTimer;

    /// A wait of microseconds.
    pub(in crate::net) struct Nap {
        timer: AsyncFd<ExactTimer>,
    }

    impl Nap {
        /// Nothing if the system has no timer for us.
        pub(in crate::net) fn new() -> Option<Self> {
            let timer = ExactTimer::new().ok()?;
            #[expect(
                deprecated,
                reason = "sound for an `ExactTimer`, which keeps its one descriptor open"
            )]
            let timer = AsyncFd::with_interest(timer, Interest::READABLE).ok()?;
            Some(Self { timer })
        }

        /// Waits for `time`; not at all if the timer fails.
        pub(in crate::net) async fn take(&self, time: Duration) {
            if self.timer.get_ref().set(time).is_ok()
                && let Ok(mut expired) = self.timer.readable().await
            {
                expired.clear_ready();
            }
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
