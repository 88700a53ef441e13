use std::fmt;
use std::num::NonZeroU16;

use crate::{Reader, Violation};

/// A Packet Identifier: never zero [MQTT-2.2.1-3].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PacketId(NonZeroU16);

impl PacketId {
    /// The smallest identifier.
    pub const FIRST: Self = Self(NonZeroU16::MIN);

    /// `None` for zero.
    pub fn new(id: u16) -> Option<Self> {
        NonZeroU16::new(id).map(Self)
    }

    /// Reads one; 0 is a protocol error.
    #[inline]
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Violation> {
        Self::new(reader.u16()?).ok_or(Violation::protocol_error("a Packet Identifier is 0"))
    }

    /// The number on the wire.
    pub fn get(self) -> u16 {
        self.0.get()
    }

    /// The identifier after this one; 65,535 is followed by 1.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.checked_add(1).unwrap_or(NonZeroU16::MIN))
    }
}

impl fmt::Display for PacketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
