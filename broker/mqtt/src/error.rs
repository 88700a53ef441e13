use std::fmt;

use crate::ReasonCode;

/// What a peer did against the standard: the Reason Code to answer with, and what it was.
///
/// A v5 peer is told the code before its connection closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The code for CONNACK or DISCONNECT.
    pub reason: ReasonCode,
    /// What was wrong, for logs and Reason Strings; ends without a full stop.
    pub what: &'static str,
}

impl Violation {
    /// A packet that cannot be parsed as the standard says (0x81).
    pub const fn malformed(what: &'static str) -> Self {
        Self { reason: ReasonCode::MalformedPacket, what }
    }

    /// A packet that parses but breaks a rule, or comes when it must not (0x82).
    pub const fn protocol_error(what: &'static str) -> Self {
        Self { reason: ReasonCode::ProtocolError, what }
    }

    /// A violation that has a Reason Code of its own.
    pub const fn new(reason: ReasonCode, what: &'static str) -> Self {
        Self { reason, what }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (0x{:02x})", self.what, self.reason.as_u8())
    }
}

impl std::error::Error for Violation {}
