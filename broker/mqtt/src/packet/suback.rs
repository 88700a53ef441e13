use crate::packet_type::checked_reason;
use crate::writer::put_packet;
use crate::{
    Frame, Layout, PacketId, PacketType, Properties, PropertyContext, ProtocolVersion, Reader,
    ReasonCode, Violation,
};

/// A SUBACK packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubAck<'a> {
    /// Of the SUBSCRIBE [MQTT-2.2.1-6].
    pub packet_id: PacketId,
    /// Always empty before 5.0.
    pub properties: Properties<'a>,
    /// One for each filter, in the order of the SUBSCRIBE [MQTT-3.9.3-1].
    pub codes: ReasonCodes<'a>,
}

/// An UNSUBACK packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnsubAck<'a> {
    /// Of the UNSUBSCRIBE [MQTT-2.2.1-6].
    pub packet_id: PacketId,
    /// Always empty before 5.0.
    pub properties: Properties<'a>,
    /// One for each filter, in the order of the UNSUBSCRIBE [MQTT-3.11.3-1]; none before 5.0.
    pub codes: ReasonCodes<'a>,
}

/// The Reason Codes of a SUBACK or UNSUBACK, checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReasonCodes<'a> {
    bytes: &'a [u8],
}

impl<'a> ReasonCodes<'a> {
    /// None, as in an UNSUBACK before 5.0.
    pub const EMPTY: Self = Self { bytes: &[] };

    /// The codes in the order they were sent.
    pub fn iter(self) -> impl Iterator<Item = ReasonCode> + Clone {
        self.bytes.iter().copied().filter_map(ReasonCode::from_u8)
    }

    /// How many.
    pub const fn len(self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }

    fn decode(reader: &mut Reader<'a>, packet: PacketType) -> Result<Self, Violation> {
        let bytes = reader.rest();
        if bytes.is_empty() {
            let what = "an acknowledgement of filters has no Reason Code";
            return Err(Violation::protocol_error(what));
        }
        for &byte in bytes {
            checked_reason(packet, byte)?;
        }
        Ok(Self { bytes })
    }

    fn decode_v3_suback(reader: &mut Reader<'a>) -> Result<Self, Violation> {
        let codes = Self::decode(reader, PacketType::SubAck)?;
        if codes.bytes.iter().any(|code| !matches!(code, 0..=2 | 0x80)) {
            return Err(Violation::malformed("a SUBACK return code is unknown"));
        }
        Ok(codes)
    }
}

/// Reason Codes being put together.
#[derive(Clone, Debug, Default)]
pub struct ReasonCodeBuffer {
    bytes: Vec<u8>,
}

impl ReasonCodeBuffer {
    /// No codes yet.
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// Adds one.
    pub fn push(&mut self, code: ReasonCode) {
        self.bytes.push(code.as_u8());
    }

    /// The codes so far.
    pub fn as_codes(&self) -> ReasonCodes<'_> {
        ReasonCodes { bytes: &self.bytes }
    }
}

impl Extend<ReasonCode> for ReasonCodeBuffer {
    fn extend<T: IntoIterator<Item = ReasonCode>>(&mut self, codes: T) {
        self.bytes.extend(codes.into_iter().map(ReasonCode::as_u8));
    }
}

impl FromIterator<ReasonCode> for ReasonCodeBuffer {
    fn from_iter<T: IntoIterator<Item = ReasonCode>>(codes: T) -> Self {
        let mut buffer = Self::new();
        buffer.extend(codes);
        buffer
    }
}

impl<'a> SubAck<'a> {
    /// Parses `frame`.
    ///
    /// # Errors
    /// Malformed for unknown codes and fields cut short; `ProtocolError` (0x82) for Packet
    /// Identifier 0, for no code at all and for codes that do not belong here [MQTT-3.9.3-2]; what
    /// [`Properties::decode`] refuses.
    pub fn decode(frame: &Frame<'a>, version: ProtocolVersion) -> Result<Self, Violation> {
        let layout = version.layout();
        let mut reader = Reader::new(frame.body);
        let packet_id = PacketId::decode(&mut reader)?;
        Ok(Self {
            packet_id,
            properties: Properties::decode_in(&mut reader, PropertyContext::SubAck, layout)?,
            codes: match layout {
                Layout::V3 => ReasonCodes::decode_v3_suback(&mut reader)?,
                Layout::V5 => ReasonCodes::decode(&mut reader, PacketType::SubAck)?,
            },
        })
    }

    /// Appends the packet; before 5.0 without properties, and every failure as 0x80.
    pub fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) {
        put_packet(PacketType::SubAck.first_byte(), out, |out| {
            out.extend_from_slice(&self.packet_id.get().to_be_bytes());
            match version.layout() {
                Layout::V5 => {
                    self.properties.encode(out);
                    out.extend_from_slice(self.codes.bytes);
                }
                Layout::V3 => out.extend(self.codes.bytes.iter().map(|&code| code.min(0x80))),
            }
        });
    }
}

impl<'a> UnsubAck<'a> {
    /// Parses `frame`.
    ///
    /// # Errors
    /// Malformed for unknown codes, fields cut short and bytes left over; `ProtocolError` (0x82)
    /// for Packet Identifier 0, for no code at all in 5.0 and for codes that do not belong here
    /// [MQTT-3.11.3-2]; what [`Properties::decode`] refuses.
    pub fn decode(frame: &Frame<'a>, version: ProtocolVersion) -> Result<Self, Violation> {
        let layout = version.layout();
        let mut reader = Reader::new(frame.body);
        let packet_id = PacketId::decode(&mut reader)?;
        let properties = Properties::decode_in(&mut reader, PropertyContext::UnsubAck, layout)?;
        let codes = match layout {
            Layout::V3 => {
                reader.finish()?;
                ReasonCodes::EMPTY
            }
            Layout::V5 => ReasonCodes::decode(&mut reader, PacketType::UnsubAck)?,
        };
        Ok(Self { packet_id, properties, codes })
    }

    /// Appends the packet; before 5.0 with nothing but the identifier.
    pub fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) {
        put_packet(PacketType::UnsubAck.first_byte(), out, |out| {
            out.extend_from_slice(&self.packet_id.get().to_be_bytes());
            if version.is_v5() {
                self.properties.encode(out);
                out.extend_from_slice(self.codes.bytes);
            }
        });
    }
}
