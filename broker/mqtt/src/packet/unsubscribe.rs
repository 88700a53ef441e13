use crate::writer::{put_packet, put_string};
use crate::{
    Frame, PacketId, PacketType, Properties, PropertyContext, ProtocolVersion, Reader, Violation,
};

/// An UNSUBSCRIBE packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsubscribe<'a> {
    /// For the UNSUBACK.
    pub packet_id: PacketId,
    /// Always empty before 5.0.
    pub properties: Properties<'a>,
    /// What is no longer subscribed to; at least one.
    pub filters: UnsubscribeFilters<'a>,
}

/// The payload of an UNSUBSCRIBE, its structure checked; the filters themselves are not, so that a
/// bad one can be answered by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnsubscribeFilters<'a> {
    block: &'a [u8],
}

impl<'a> UnsubscribeFilters<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, Violation> {
        let filters = Self { block: reader.rest() };
        if reader.is_empty() {
            return Err(Violation::protocol_error("an UNSUBSCRIBE has no Topic Filter"));
        }
        while !reader.is_empty() {
            reader.string()?;
        }
        Ok(filters)
    }

    /// The filters as sent, in order.
    pub fn iter(self) -> impl Iterator<Item = &'a str> + Clone {
        let mut reader = Reader::new(self.block);
        std::iter::from_fn(move || reader.string().ok())
    }
}

/// The payload of an UNSUBSCRIBE being put together.
#[derive(Clone, Debug, Default)]
pub struct UnsubscribeBuffer {
    block: Vec<u8>,
}

impl UnsubscribeBuffer {
    /// No filters yet.
    pub const fn new() -> Self {
        Self { block: Vec::new() }
    }

    /// Adds one.
    pub fn push(&mut self, filter: &str) {
        put_string(filter, &mut self.block);
    }

    /// The filters so far.
    pub fn as_filters(&self) -> UnsubscribeFilters<'_> {
        UnsubscribeFilters { block: &self.block }
    }
}

impl<'a> Unsubscribe<'a> {
    /// Parses `frame`.
    ///
    /// # Errors
    /// Malformed for bad strings and fields cut short; `ProtocolError` (0x82) for Packet Identifier
    /// 0 and no filter at all [MQTT-3.10.3-2]; what [`Properties::decode`] refuses.
    pub fn decode(frame: &Frame<'a>, version: ProtocolVersion) -> Result<Self, Violation> {
        let mut reader = Reader::new(frame.body);
        let packet_id = PacketId::decode(&mut reader)?;
        let context = PropertyContext::Unsubscribe;
        Ok(Self {
            packet_id,
            properties: Properties::decode_in(&mut reader, context, version.layout())?,
            filters: UnsubscribeFilters::decode(&mut reader)?,
        })
    }

    /// Appends the packet; before 5.0 without properties.
    pub fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) {
        put_packet(PacketType::Unsubscribe.first_byte(), out, |out| {
            out.extend_from_slice(&self.packet_id.get().to_be_bytes());
            self.properties.encode_in(version.layout(), out);
            out.extend_from_slice(self.filters.block);
        });
    }
}
