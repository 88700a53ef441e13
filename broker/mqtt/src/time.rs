use std::time::Duration;

/// A moment on the broker's monotonic clock, in milliseconds since the broker began.
///
/// The pure crates are told the time as one of these; only the server owns a clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(u64);

impl Timestamp {
    /// A moment that never comes.
    pub const NEVER: Self = Self(u64::MAX);

    /// The moment `millis` milliseconds after the broker began.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the broker began.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// `secs` seconds later; [`Timestamp::NEVER`] stays never.
    #[must_use]
    pub const fn plus_secs(self, secs: u32) -> Self {
        Self(self.0.saturating_add(secs as u64 * 1000))
    }

    /// `duration` later; [`Timestamp::NEVER`] stays never.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long ago `earlier` was; zero if it is still to come.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}
