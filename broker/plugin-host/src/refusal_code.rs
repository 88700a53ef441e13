use pintle_mqtt::{ReasonCode, is_mqtt_string};
use pintle_plugin_api::Failure;

use crate::fault::Fault;

/// The packets that carry a plugin's refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    ConnAck,
    PubAck,
    SubAck,
    Disconnect,
}

impl Carrier {
    const fn name(self) -> &'static str {
        match self {
            Self::ConnAck => "CONNACK",
            Self::PubAck => "PUBACK",
            Self::SubAck => "SUBACK",
            Self::Disconnect => "DISCONNECT",
        }
    }

    /// The Reason Codes of 0x80 and above that a server may send in it (table 2-6).
    const fn codes(self) -> &'static [u8] {
        match self {
            Self::ConnAck => &[
                0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95,
                0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
            ],
            Self::PubAck => &[0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
            Self::SubAck => &[0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2],
            Self::Disconnect => &[
                0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95,
                0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
            ],
        }
    }

    /// The code of `byte` if this packet can carry it as a refusal.
    pub(crate) fn refusal(self, byte: u8) -> Option<ReasonCode> {
        ReasonCode::from_u8(byte).filter(|_| self.codes().contains(&byte))
    }

    /// # Errors
    /// If this packet can not carry the code, or no packet the text.
    pub(crate) fn check(self, failure: &Failure) -> Result<ReasonCode, Fault> {
        if let Some(message) = &failure.message
            && !is_mqtt_string(message.as_bytes())
        {
            let what = "the text of a refusal is not a string that MQTT can carry";
            return Err(Fault::invalid(what));
        }
        self.refusal(failure.code).ok_or_else(|| Fault::illegal_code(failure.code, self.name()))
    }
}
