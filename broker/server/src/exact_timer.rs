use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

/// Becomes readable at a time that is exact to microseconds; timeouts of polls and the runtime's own timers
/// are only exact to a millisecond.
#[derive(Debug)]
pub(crate) struct ExactTimer(OwnedFd);

impl ExactTimer {
    /// One that is not set.
    ///
    /// # Errors
    /// If the system has no timer for us.
    pub(crate) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        Ok(Self(timerfd_create(TimerfdClockId::Monotonic, flags)?))
    }

    /// Sets it, whatever it was set to before.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn set(&self, time: Duration) -> io::Result<()> {
        // Zero would be never.
        let nanos = time.subsec_nanos().max(1);
        let secs = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let it_value = Timespec { tv_sec: secs, tv_nsec: nanos.into() };
        let setting = Itimerspec { it_interval: once, it_value };
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &setting)?;
        Ok(())
    }
}

impl AsFd for ExactTimer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for ExactTimer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
