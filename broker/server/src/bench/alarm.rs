//! A clock that wakes the generator exactly.

#[cfg(target_os = "linux")]
pub(super) use self::linux::Alarm;
#[cfg(not(target_os = "linux"))]
pub(super) use self::none::Alarm;

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::os::fd::AsRawFd;
    use std::time::Duration;

    use mio::unix::SourceFd;
    use mio::{Interest, Registry, Token};

    use crate::exact_timer::ExactTimer;

    /// Makes a poll return at a time that is exact to microseconds.
    pub(in crate::bench) struct Alarm {
        timer: ExactTimer,
    }

    impl Alarm {
        /// One that rings in the poll of `registry`, under `token`.
        ///
        /// # Errors
        /// If the system has no timer for us.
        pub(in crate::bench) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
            let timer = ExactTimer::new()?;
            registry.register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
            Ok(Self { timer })
        }

        /// Sets it, whatever it was set to before.
        ///
        /// # Errors
        /// The system's.
        pub(in crate::bench) fn set(&self, time: Duration) -> io::Result<()> {
            self.timer.set(time)
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod none {
    use std::io;
    use std::time::Duration;

    use mio::{Registry, Token};

    /// There is none here.
    pub(in crate::bench) struct Alarm;

    impl Alarm {
        pub(in crate::bench) fn new(_: &Registry, _: Token) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(in crate::bench) fn set(&self, _: Duration) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::{Duration, Instant};

    use mio::{Events, Poll, Token};

    use super::Alarm;

    #[test]
    fn an_alarm_ends_a_wait_when_it_is_due_and_not_before() {
        let mut poll = Poll::new().unwrap();
        let alarm = Alarm::new(poll.registry(), Token(7)).unwrap();
        let mut events = Events::with_capacity(1);
        for micros in [0, 300, 20] {
            let time = Duration::from_micros(micros);
            let start = Instant::now();
            alarm.set(time).unwrap();

            poll.poll(&mut events, None).unwrap();

            assert_eq!(events.iter().next().unwrap().token(), Token(7));
            assert!(start.elapsed() >= time);
        }
    }
}
