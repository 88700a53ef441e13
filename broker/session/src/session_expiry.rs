use pintle_mqtt::{Timestamp, Violation};

/// How long a Session outlives its Network Connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpiry {
    asked_secs: u32,
    secs: u32,
}

impl SessionExpiry {
    /// The interval that stands for a Session which does not expire.
    pub const NEVER_SECS: u32 = u32::MAX;

    /// An interval that already holds, as when a Session is restored.
    pub const fn from_secs(secs: u32) -> Self {
        Self { asked_secs: secs, secs }
    }

    /// That of a v3 CONNECT: a clean session ends with its connection, another never, or after
    /// `session_expiry_max_secs`, the server's own limit ([`Self::NEVER_SECS`] for none).
    pub fn of_v3(clean_session: bool, session_expiry_max_secs: u32) -> Self {
        let asked = if clean_session { 0 } else { Self::NEVER_SECS };
        Self::capped(asked, session_expiry_max_secs)
    }

    /// That of a v5 CONNECT; absent is 0.
    pub fn of_v5(interval_secs: Option<u32>, session_expiry_max_secs: u32) -> Self {
        Self::capped(interval_secs.unwrap_or(0), session_expiry_max_secs)
    }

    fn capped(asked_secs: u32, max_secs: u32) -> Self {
        Self { asked_secs, secs: asked_secs.min(max_secs) }
    }

    /// Seconds that hold; 0xFFFFFFFF is never.
    pub fn as_secs(self) -> u32 {
        self.secs
    }

    /// What CONNACK has to say as Session Expiry Interval: only what differs from the client's own.
    pub fn to_announce(self) -> Option<u32> {
        (self.secs != self.asked_secs).then_some(self.secs)
    }

    /// Whether the Session ends with its Network Connection; otherwise it must be kept
    /// [MQTT-3.1.2-23].
    pub fn ends_with_connection(self) -> bool {
        self.secs == 0
    }

    /// When a Session ends whose Network Connection closed at `closed_at`.
    pub fn ends_at(self, closed_at: Timestamp) -> Timestamp {
        if self.secs == Self::NEVER_SECS {
            Timestamp::NEVER
        } else {
            closed_at.plus_secs(self.secs)
        }
    }

    /// A DISCONNECT of the client names another interval, or none.
    ///
    /// # Errors
    /// `ProtocolError` (0x82) if it is not 0 though that of CONNECT was (3.14.2.2.2); the packet
    /// then does not count as a valid DISCONNECT.
    pub fn change_at_disconnect(
        &mut self,
        interval_secs: Option<u32>,
        session_expiry_max_secs: u32,
    ) -> Result<(), Violation> {
        match interval_secs {
            None => Ok(()),
            Some(secs) if secs != 0 && self.asked_secs == 0 => Err(Violation::protocol_error(
                "a DISCONNECT sets a Session Expiry Interval though that of CONNECT was 0",
            )),
            Some(secs) => {
                *self = Self::capped(secs, session_expiry_max_secs);
                Ok(())
            }
        }
    }
}
