use crate::packet_type::checked_reason;
use crate::writer::put_packet;
use crate::{
    Frame, Layout, PacketId, PacketType, Properties, PropertyContext, ProtocolVersion, Reader,
    ReasonCode, Violation,
};

/// Which of the four acknowledgements of a PUBLISH.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of the packets")]
pub enum AckKind {
    PubAck,
    PubRec,
    PubRel,
    PubComp,
}

impl AckKind {
    /// Its packet type.
    pub const fn packet_type(self) -> PacketType {
        match self {
            Self::PubAck => PacketType::PubAck,
            Self::PubRec => PacketType::PubRec,
            Self::PubRel => PacketType::PubRel,
            Self::PubComp => PacketType::PubComp,
        }
    }

    const fn property_context(self) -> PropertyContext {
        match self {
            Self::PubAck => PropertyContext::PubAck,
            Self::PubRec => PropertyContext::PubRec,
            Self::PubRel => PropertyContext::PubRel,
            Self::PubComp => PropertyContext::PubComp,
        }
    }
}

/// A PUBACK, PUBREC, PUBREL or PUBCOMP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack<'a> {
    /// Of the PUBLISH [MQTT-2.2.1-5].
    pub packet_id: PacketId,
    /// Always Success before 5.0.
    pub reason: ReasonCode,
    /// Always empty before 5.0.
    pub properties: Properties<'a>,
}

impl<'a> Ack<'a> {
    /// Success without properties.
    pub const fn success(packet_id: PacketId) -> Self {
        Self::new(packet_id, ReasonCode::Success)
    }

    /// A Reason Code without properties.
    pub const fn new(packet_id: PacketId, reason: ReasonCode) -> Self {
        Self { packet_id, reason, properties: Properties::EMPTY }
    }

    /// Parses `frame`, which is of type `kind`; 5.0 may leave out what is Success or empty.
    ///
    /// # Errors
    /// Malformed for unknown Reason Codes, fields cut short and bytes left over; `ProtocolError`
    /// (0x82) for Packet Identifier 0 and for Reason Codes that do not belong here
    /// [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1]; what [`Properties::decode`]
    /// refuses.
    #[inline]
    pub fn decode(
        frame: &Frame<'a>,
        kind: AckKind,
        version: ProtocolVersion,
    ) -> Result<Self, Violation> {
        let mut reader = Reader::new(frame.body);
        let packet_id = PacketId::decode(&mut reader)?;
        if reader.is_empty() {
            return Ok(Self::success(packet_id));
        }
        match version.layout() {
            Layout::V3 => {
                reader.finish()?;
                Ok(Self::success(packet_id))
            }
            Layout::V5 => {
                let (reason, properties) =
                    decode_reason(&mut reader, kind.packet_type(), kind.property_context())?;
                Ok(Self { packet_id, reason, properties })
            }
        }
    }

    /// Appends the packet in its shortest form; before 5.0 with nothing but the identifier.
    pub fn encode(&self, kind: AckKind, version: ProtocolVersion, out: &mut Vec<u8>) {
        let is_plain = self.reason == ReasonCode::Success && self.properties.is_empty();
        if is_plain || !version.is_v5() {
            return encode_ack(kind, self.packet_id, out);
        }
        put_packet(kind.packet_type().first_byte(), out, |out| {
            out.extend_from_slice(&self.packet_id.get().to_be_bytes());
            encode_reason(self.reason, self.properties, out);
        });
    }
}

/// Appends an acknowledgement that says Success and no more; it looks the same in every version.
#[inline]
pub fn encode_ack(kind: AckKind, packet_id: PacketId, out: &mut Vec<u8>) {
    let [high, low] = packet_id.get().to_be_bytes();
    out.extend_from_slice(&[kind.packet_type().first_byte(), 2, high, low]);
}

/// Reads Reason Code and properties up to the end of the packet; either may be left out.
pub(super) fn decode_reason<'a>(
    reader: &mut Reader<'a>,
    packet: PacketType,
    context: PropertyContext,
) -> Result<(ReasonCode, Properties<'a>), Violation> {
    if reader.is_empty() {
        return Ok((ReasonCode::Success, Properties::EMPTY));
    }
    let reason = checked_reason(packet, reader.u8()?)?;
    if reader.is_empty() {
        return Ok((reason, Properties::EMPTY));
    }
    let properties = Properties::decode(reader, context)?;
    reader.finish()?;
    Ok((reason, properties))
}

/// Appends what [`decode_reason`] reads, as short as it can be.
pub(super) fn encode_reason(reason: ReasonCode, properties: Properties<'_>, out: &mut Vec<u8>) {
    if reason == ReasonCode::Success && properties.is_empty() {
        return;
    }
    out.push(reason.as_u8());
    if !properties.is_empty() {
        properties.encode(out);
    }
}
