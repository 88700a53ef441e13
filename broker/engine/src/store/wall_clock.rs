use pintle_mqtt::Timestamp;

/// Turns the broker's own time, which ends with it, into that of the world and back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WallClock {
    /// When the broker began, in milliseconds since 1970.
    pub(crate) began_ms: u64,
}

const NEVER: u64 = u64::MAX;

impl WallClock {
    /// Milliseconds since 1970; [`NEVER`] for a moment that never comes.
    pub(crate) fn to_wall(self, at: Timestamp) -> u64 {
        if at == Timestamp::NEVER { NEVER } else { self.began_ms.saturating_add(at.as_millis()) }
    }

    /// The moment, or that of the broker's beginning where it was before that.
    pub(crate) fn to_broker(self, at_ms: u64) -> Timestamp {
        if at_ms == NEVER {
            Timestamp::NEVER
        } else {
            Timestamp::from_millis(at_ms.saturating_sub(self.began_ms))
        }
    }

    /// From when on a record is of no meaning; `None` if it always is.
    pub(crate) fn end_of_life(self, expires_at: Timestamp) -> Option<u64> {
        (expires_at != Timestamp::NEVER).then(|| self.to_wall(expires_at))
    }

    /// Whether that was over before the broker began.
    pub(crate) fn is_past(self, at_ms: u64) -> bool {
        at_ms <= self.began_ms
    }
}
