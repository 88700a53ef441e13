use std::fmt;

use crate::{
    Frame, Layout, PacketId, Properties, PropertyContext, QoS, Reader, ReasonCode, TopicName,
    Violation, encode_variable_byte_integer, variable_byte_integer_len,
};

/// The low four bits of a PUBLISH's first byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PublishFlags {
    /// Sent before, perhaps.
    pub dup: bool,
    /// How it is delivered.
    pub qos: QoS,
    /// To be retained, or from the retained store.
    pub retain: bool,
}

impl PublishFlags {
    /// Reads them from a first byte.
    ///
    /// # Errors
    /// Malformed for QoS 3 [MQTT-3.3.1-4] and for DUP at QoS 0 [MQTT-3.3.1-2].
    pub fn from_first_byte(byte: u8) -> Result<Self, Violation> {
        let Some(qos) = QoS::from_bits(byte >> 1 & 3) else {
            return Err(Violation::malformed("a PUBLISH has QoS 3"));
        };
        let dup = byte & 0x08 != 0;
        if dup && qos == QoS::AtMostOnce {
            return Err(Violation::malformed("a PUBLISH of QoS 0 has DUP set"));
        }
        Ok(Self { dup, qos, retain: byte & 1 != 0 })
    }

    /// The first byte of a PUBLISH with these flags.
    pub const fn first_byte(self) -> u8 {
        0x30 | (self.dup as u8) << 3 | (self.qos as u8) << 1 | self.retain as u8
    }
}

/// A PUBLISH packet, parsed in place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Publish<'a> {
    /// DUP, QoS and RETAIN.
    pub flags: PublishFlags,
    /// The Topic Name as sent; `None` if the packet relies on a Topic Alias (v5 only).
    pub topic: Option<TopicName<'a>>,
    /// Present exactly if QoS is above 0 [MQTT-2.2.1-2].
    pub packet_id: Option<PacketId>,
    /// Always empty in [`Layout::V3`].
    pub properties: Properties<'a>,
    /// The Application Message.
    pub payload: &'a [u8],
}

impl<'a> Publish<'a> {
    /// Parses `frame`. A topic equal to `known` is not checked again.
    ///
    /// # Errors
    /// Malformed for bad flags, bad strings and fields cut short; `ProtocolError` (0x82) for Packet
    /// Identifier 0 and for an empty topic without a Topic Alias; `TopicNameInvalid` (0x90) for
    /// wildcards [MQTT-3.3.2-2]; what [`Properties::decode`] refuses.
    #[inline]
    pub fn decode(
        frame: &Frame<'a>,
        layout: Layout,
        known: Option<TopicName<'_>>,
    ) -> Result<Self, Violation> {
        let flags = PublishFlags::from_first_byte(frame.first_byte)?;
        let mut reader = Reader::new(frame.body);
        let topic = decode_topic(&mut reader, known)?;
        let packet_id = match flags.qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce | QoS::ExactlyOnce => Some(PacketId::decode(&mut reader)?),
        };
        let properties = match layout {
            Layout::V3 => Properties::EMPTY,
            Layout::V5 => Properties::decode(&mut reader, PropertyContext::Publish)?,
        };
        if topic.is_none() && properties.topic_alias().is_none() {
            return Err(match layout {
                Layout::V3 => Violation::malformed("a Topic Name is empty"),
                Layout::V5 => Violation::protocol_error("a PUBLISH has neither topic nor alias"),
            });
        }
        let payload = reader.rest();
        if properties.payload_format_indicator() == Some(true)
            && std::str::from_utf8(payload).is_err()
        {
            let what = "a payload that says it is UTF-8 is not";
            return Err(Violation::new(ReasonCode::PayloadFormatInvalid, what));
        }
        Ok(Self { flags, topic, packet_id, properties, payload })
    }

    /// The packet in `frame`, if it differs from this one in nothing but payload and Packet
    /// Identifier: the same first byte, the same topic, and neither has properties.
    ///
    /// What a run is made of; much less work than [`Publish::decode`], which answers where this
    /// says `None`.
    #[inline]
    pub fn decode_alike(&self, frame: &Frame<'a>, layout: Layout) -> Option<Self> {
        let topic = self.topic?;
        if frame.first_byte != self.flags.first_byte() || !self.properties.is_empty() {
            return None;
        }
        let (topic_len, rest) = frame.body.split_first_chunk::<2>()?;
        let topic_len = usize::from(u16::from_be_bytes(*topic_len));
        let (name, mut payload) = rest.split_at_checked(topic_len)?;
        if name != topic.as_str().as_bytes() {
            return None;
        }
        let mut packet_id = None;
        if self.packet_id.is_some() {
            let (id, rest) = payload.split_first_chunk::<2>()?;
            packet_id = Some(PacketId::new(u16::from_be_bytes(*id))?);
            payload = rest;
        }
        if layout == Layout::V5 {
            payload = payload.strip_prefix(&[0])?;
        }
        Some(Self { packet_id, payload, ..*self })
    }

    /// The whole packet's length in bytes when encoded in `layout`.
    pub fn encoded_len(&self, layout: Layout) -> usize {
        let remaining = self.remaining_len(layout);
        1 + variable_byte_integer_len(remaining as u32) + remaining
    }

    fn remaining_len(&self, layout: Layout) -> usize {
        let topic_len = self.topic.map_or(0, |topic| topic.as_str().len());
        let id_len = if self.packet_id.is_some() { 2 } else { 0 };
        let properties_len = match layout {
            Layout::V3 => 0,
            Layout::V5 => self.properties.encoded_len(),
        };
        2 + topic_len + id_len + properties_len + self.payload.len()
    }

    /// Appends the packet in `layout`; [`Layout::V3`] leaves the properties out.
    pub fn encode(&self, layout: Layout, out: &mut Vec<u8>) {
        let remaining = self.remaining_len(layout);
        out.reserve(5 + remaining);
        out.push(self.flags.first_byte());
        encode_variable_byte_integer(remaining as u32, out);
        let topic = self.topic.map_or("", TopicName::as_str);
        out.extend_from_slice(&(topic.len() as u16).to_be_bytes());
        out.extend_from_slice(topic.as_bytes());
        if let Some(id) = self.packet_id {
            out.extend_from_slice(&id.get().to_be_bytes());
        }
        match layout {
            Layout::V3 => {}
            Layout::V5 => self.properties.encode(out),
        }
        out.extend_from_slice(self.payload);
    }
}

/// Shows the length of the payload instead of the payload.
impl fmt::Debug for Publish<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publish")
            .field("flags", &self.flags)
            .field("topic", &self.topic)
            .field("packet_id", &self.packet_id)
            .field("properties", &self.properties)
            .field("payload_bytes", &self.payload.len())
            .finish()
    }
}

#[inline]
fn decode_topic<'a>(
    reader: &mut Reader<'a>,
    known: Option<TopicName<'_>>,
) -> Result<Option<TopicName<'a>>, Violation> {
    let mut ahead = *reader;
    let bytes = ahead.binary()?;
    if let Some(known) = known
        && known.as_str().as_bytes() == bytes
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        *reader = ahead;
        return Ok(Some(TopicName::trusted(text)));
    }
    let text = reader.string()?;
    if text.is_empty() { Ok(None) } else { TopicName::new(text).map(Some) }
}
