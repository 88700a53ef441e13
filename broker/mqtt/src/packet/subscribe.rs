use crate::writer::{put_packet, put_string};
use crate::{
    Frame, Layout, PacketId, PacketType, Properties, PropertyContext, ProtocolVersion, QoS, Reader,
    Violation,
};

/// A SUBSCRIBE packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// For the SUBACK.
    pub packet_id: PacketId,
    /// Always empty before 5.0.
    pub properties: Properties<'a>,
    /// What is subscribed to; at least one.
    pub filters: SubscribeFilters<'a>,
}

/// When a new subscription brings the retained messages that match it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RetainHandling {
    /// At every SUBSCRIBE.
    #[default]
    Send = 0,
    /// Only if the subscription did not exist.
    SendIfNew = 1,
    /// Never.
    DoNotSend = 2,
}

/// The Subscription Options of one Topic Filter; before 5.0 there is only the QoS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SubscribeOptions {
    /// Maximum QoS.
    pub qos: QoS,
    /// Whether the client's own messages stay away.
    pub no_local: bool,
    /// Whether RETAIN comes as it was published.
    pub retain_as_published: bool,
    /// What becomes of retained messages.
    pub retain_handling: RetainHandling,
}

impl SubscribeOptions {
    /// Nothing but a QoS, as before 5.0.
    pub const fn with_qos(qos: QoS) -> Self {
        Self {
            qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
        }
    }

    fn from_byte(byte: u8, layout: Layout) -> Result<Self, Violation> {
        let reserved = match layout {
            Layout::V3 => 0xfc,
            Layout::V5 => 0xc0,
        };
        if byte & reserved != 0 {
            let what = "reserved bits of a subscription's options are set";
            return Err(Violation::malformed(what));
        }
        let Some(qos) = QoS::from_bits(byte & 3) else {
            return Err(Violation::protocol_error("a subscription asks for QoS 3"));
        };
        let retain_handling = match byte >> 4 & 3 {
            0 => RetainHandling::Send,
            1 => RetainHandling::SendIfNew,
            2 => RetainHandling::DoNotSend,
            _ => return Err(Violation::protocol_error("a Retain Handling is 3")),
        };
        Ok(Self {
            qos,
            no_local: byte & 0x04 != 0,
            retain_as_published: byte & 0x08 != 0,
            retain_handling,
        })
    }

    const fn as_byte(self) -> u8 {
        self.qos as u8
            | (self.no_local as u8) << 2
            | (self.retain_as_published as u8) << 3
            | (self.retain_handling as u8) << 4
    }
}

/// One line of a SUBSCRIBE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscribeEntry<'a> {
    /// As sent; [`crate::SubscriptionFilter::new`] says whether it is a Topic Filter.
    pub filter: &'a str,
    /// With which options.
    pub options: SubscribeOptions,
}

/// The payload of a SUBSCRIBE, its structure checked; the filters themselves are not, so that a bad
/// one can be answered by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscribeFilters<'a> {
    block: &'a [u8],
}

impl<'a> SubscribeFilters<'a> {
    fn decode(reader: &mut Reader<'a>, layout: Layout) -> Result<Self, Violation> {
        let filters = Self { block: reader.rest() };
        if reader.is_empty() {
            return Err(Violation::protocol_error("a SUBSCRIBE has no Topic Filter"));
        }
        while !reader.is_empty() {
            decode_entry(reader, layout)?;
        }
        Ok(filters)
    }

    /// The filters in the order they were sent.
    pub fn iter(self) -> impl Iterator<Item = SubscribeEntry<'a>> + Clone {
        let mut reader = Reader::new(self.block);
        std::iter::from_fn(move || decode_entry(&mut reader, Layout::V5).ok())
    }
}

fn decode_entry<'a>(
    reader: &mut Reader<'a>,
    layout: Layout,
) -> Result<SubscribeEntry<'a>, Violation> {
    Ok(SubscribeEntry {
        filter: reader.string()?,
        options: SubscribeOptions::from_byte(reader.u8()?, layout)?,
    })
}

/// The payload of a SUBSCRIBE being put together.
#[derive(Clone, Debug, Default)]
pub struct SubscribeBuffer {
    block: Vec<u8>,
}

impl SubscribeBuffer {
    /// No filters yet.
    pub const fn new() -> Self {
        Self { block: Vec::new() }
    }

    /// Adds one.
    pub fn push(&mut self, filter: &str, options: SubscribeOptions) {
        put_string(filter, &mut self.block);
        self.block.push(options.as_byte());
    }

    /// The filters so far.
    pub fn as_filters(&self) -> SubscribeFilters<'_> {
        SubscribeFilters { block: &self.block }
    }
}

impl<'a> Subscribe<'a> {
    /// Parses `frame`.
    ///
    /// # Errors
    /// Malformed for reserved option bits [MQTT-3.8.3-5], bad strings and fields cut short;
    /// `ProtocolError` (0x82) for Packet Identifier 0, no filter at all [MQTT-3.8.3-2], QoS 3 and
    /// Retain Handling 3; what [`Properties::decode`] refuses.
    pub fn decode(frame: &Frame<'a>, version: ProtocolVersion) -> Result<Self, Violation> {
        let layout = version.layout();
        let mut reader = Reader::new(frame.body);
        let packet_id = PacketId::decode(&mut reader)?;
        Ok(Self {
            packet_id,
            properties: Properties::decode_in(&mut reader, PropertyContext::Subscribe, layout)?,
            filters: SubscribeFilters::decode(&mut reader, layout)?,
        })
    }

    /// Appends the packet; before 5.0 without properties and with no option but the QoS.
    pub fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) {
        let layout = version.layout();
        put_packet(PacketType::Subscribe.first_byte(), out, |out| {
            out.extend_from_slice(&self.packet_id.get().to_be_bytes());
            self.properties.encode_in(layout, out);
            match layout {
                Layout::V5 => out.extend_from_slice(self.filters.block),
                Layout::V3 => {
                    for entry in self.filters.iter() {
                        put_string(entry.filter, out);
                        out.push(entry.options.qos as u8);
                    }
                }
            }
        });
    }
}
