use crate::{ProtocolVersion, ReasonCode, Violation};

/// MQTT Control Packet type: the high four bits of the first byte (table 2-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are those of table 2-1")]
pub enum PacketType {
    Connect = 1,
    ConnAck = 2,
    Publish = 3,
    PubAck = 4,
    PubRec = 5,
    PubRel = 6,
    PubComp = 7,
    Subscribe = 8,
    SubAck = 9,
    Unsubscribe = 10,
    UnsubAck = 11,
    PingReq = 12,
    PingResp = 13,
    Disconnect = 14,
    Auth = 15,
}

impl PacketType {
    /// The type in a first byte; `None` for type 0, which is forbidden.
    pub const fn from_first_byte(byte: u8) -> Option<Self> {
        match byte >> 4 {
            1 => Some(Self::Connect),
            2 => Some(Self::ConnAck),
            3 => Some(Self::Publish),
            4 => Some(Self::PubAck),
            5 => Some(Self::PubRec),
            6 => Some(Self::PubRel),
            7 => Some(Self::PubComp),
            8 => Some(Self::Subscribe),
            9 => Some(Self::SubAck),
            10 => Some(Self::Unsubscribe),
            11 => Some(Self::UnsubAck),
            12 => Some(Self::PingReq),
            13 => Some(Self::PingResp),
            14 => Some(Self::Disconnect),
            15 => Some(Self::Auth),
            _ => None,
        }
    }

    /// The type in a first byte whose flags are as they must be in `version`.
    ///
    /// Comes before the `decode` of a packet, which looks at the body alone;
    /// [`crate::Packet::decode`] sees to it. The flags of a PUBLISH mean something and are left to [`crate::PublishFlags`].
    ///
    /// # Errors
    /// Malformed for type 0, for AUTH before 5.0, and for other flags than the standard's
    /// [MQTT-2.1.3-1]. In 3.1 a PUBREL, SUBSCRIBE or UNSUBSCRIBE may have DUP set.
    pub fn checked(first_byte: u8, version: ProtocolVersion) -> Result<Self, Violation> {
        let Some(packet) = Self::from_first_byte(first_byte) else {
            return Err(Violation::malformed("a packet has the forbidden type 0"));
        };
        if packet == Self::Auth && !version.is_v5() {
            return Err(Violation::malformed("AUTH came before MQTT 5.0"));
        }
        let flags = first_byte & 0x0f;
        let required = packet.first_byte() & 0x0f;
        let is_dup_of_old = version == ProtocolVersion::V3_1 && required == 2 && flags == 0x0a;
        if packet == Self::Publish || flags == required || is_dup_of_old {
            Ok(packet)
        } else {
            Err(Violation::malformed("reserved bits of the first byte are wrong"))
        }
    }

    /// The first byte of such a packet, its flags as they must be (for PUBLISH all clear).
    pub const fn first_byte(self) -> u8 {
        let flags = match self {
            Self::PubRel | Self::Subscribe | Self::Unsubscribe => 2,
            Self::Connect
            | Self::ConnAck
            | Self::Publish
            | Self::PubAck
            | Self::PubRec
            | Self::PubComp
            | Self::SubAck
            | Self::UnsubAck
            | Self::PingReq
            | Self::PingResp
            | Self::Disconnect
            | Self::Auth => 0,
        };
        (self as u8) << 4 | flags
    }

    /// Whether a client may send it; the others only come from a server.
    pub const fn is_from_client(self) -> bool {
        !matches!(self, Self::ConnAck | Self::SubAck | Self::UnsubAck | Self::PingResp)
    }
}

/// Whether the standard lists `reason` for `packet` (tables 2-6, 3-1 and those of each packet).
pub const fn reason_is_legal(packet: PacketType, reason: ReasonCode) -> bool {
    let code = reason.as_u8();
    match packet {
        PacketType::ConnAck => matches!(
            code,
            0x00 | 0x80..=0x8a | 0x8c | 0x90 | 0x95 | 0x97 | 0x99..=0x9d | 0x9f
        ),
        PacketType::PubAck | PacketType::PubRec => {
            matches!(code, 0x00 | 0x10 | 0x80 | 0x83 | 0x87 | 0x90 | 0x91 | 0x97 | 0x99)
        }
        PacketType::PubRel | PacketType::PubComp => matches!(code, 0x00 | 0x92),
        PacketType::SubAck => matches!(
            code,
            0x00..=0x02 | 0x80 | 0x83 | 0x87 | 0x8f | 0x91 | 0x97 | 0x9e | 0xa1 | 0xa2
        ),
        PacketType::UnsubAck => matches!(code, 0x00 | 0x11 | 0x80 | 0x83 | 0x87 | 0x8f | 0x91),
        PacketType::Disconnect => matches!(
            code,
            0x00 | 0x04 | 0x80..=0x83 | 0x87 | 0x89 | 0x8b..=0x90 | 0x93..=0xa2
        ),
        PacketType::Auth => matches!(code, 0x00 | 0x18 | 0x19),
        PacketType::Connect
        | PacketType::Publish
        | PacketType::Subscribe
        | PacketType::Unsubscribe
        | PacketType::PingReq
        | PacketType::PingResp => false,
    }
}

/// The Reason Code of `byte` in `packet`.
///
/// # Errors
/// Malformed for a code that the standard does not have, `ProtocolError` for one that has no place
/// in this packet.
pub(crate) fn checked_reason(packet: PacketType, byte: u8) -> Result<ReasonCode, Violation> {
    let Some(reason) = ReasonCode::from_u8(byte) else {
        return Err(Violation::malformed("a Reason Code is unknown"));
    };
    if reason_is_legal(packet, reason) {
        Ok(reason)
    } else {
        Err(Violation::protocol_error("a Reason Code is not one for this packet"))
    }
}
