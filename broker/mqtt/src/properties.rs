use std::fmt;

use crate::property::{Property, bit};
use crate::{
    Layout, PropertyContext, Reader, Violation, encode_variable_byte_integer,
    reader::checked_string, variable_byte_integer_len,
};

/// The properties of one packet: a block of bytes whose contents have been checked.
///
/// Getters scan the block only for what is there; nothing is copied.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Properties<'a> {
    block: &'a [u8],
    present: u64,
}

macro_rules! getters {
    ($($(#[$doc:meta])* $name:ident: $variant:ident -> $type:ty;)*) => {
        $($(#[$doc])*
        pub fn $name(self) -> Option<$type> {
            if self.present & bit::$variant == 0 {
                return None;
            }
            self.iter().find_map(|property| match property {
                Property::$variant(value) => Some(value),
                _ => None,
            })
        })*
    };
}

impl<'a> Properties<'a> {
    /// No properties.
    pub const EMPTY: Self = Self { block: &[], present: 0 };

    /// Reads Property Length and block, and checks every property against `context`.
    ///
    /// # Errors
    /// Malformed (0x81) for an identifier that is unknown or not one for this packet (2.2.2.2), a
    /// value cut short or a length that lies; `ProtocolError` (0x82) for a property that is given
    /// twice or out of range.
    #[inline]
    pub fn decode(reader: &mut Reader<'a>, context: PropertyContext) -> Result<Self, Violation> {
        let len = reader.variable_byte_integer()?;
        if len == 0 {
            return Ok(Self::EMPTY);
        }
        Self::decode_block(reader.take(len as usize)?, context)
    }

    fn decode_block(block: &'a [u8], context: PropertyContext) -> Result<Self, Violation> {
        let mut present = 0_u64;
        let mut inside = Reader::new(block);
        while !inside.is_empty() {
            let id = inside.variable_byte_integer()?;
            let property = Property::decode(id, &mut inside)?;
            if !property.is_allowed_in(context) {
                return Err(Violation::malformed("a property is not one for this packet"));
            }
            let bit = 1 << property.id();
            if present & bit != 0 && !property.may_repeat_in(context) {
                return Err(Violation::protocol_error("a property is given twice"));
            }
            present |= bit;
            property.check_value()?;
        }
        Ok(Self { block, present })
    }

    /// Reads the block where `layout` has one.
    pub(crate) fn decode_in(
        reader: &mut Reader<'a>,
        context: PropertyContext,
        layout: Layout,
    ) -> Result<Self, Violation> {
        match layout {
            Layout::V3 => Ok(Self::EMPTY),
            Layout::V5 => Self::decode(reader, context),
        }
    }

    /// Appends the block where `layout` has one.
    pub(crate) fn encode_in(self, layout: Layout, out: &mut Vec<u8>) {
        match layout {
            Layout::V3 => {}
            Layout::V5 => self.encode(out),
        }
    }

    /// The properties in the order they were sent.
    pub fn iter(self) -> impl Iterator<Item = Property<'a>> + Clone {
        let mut reader = Reader::new(self.block);
        std::iter::from_fn(move || {
            let id = reader.variable_byte_integer().ok()?;
            Property::decode(id, &mut reader).ok()
        })
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.block.is_empty()
    }

    /// The block without its length, as it was sent.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.block
    }

    /// Bytes that the block takes in a packet, its length included.
    pub const fn encoded_len(self) -> usize {
        variable_byte_integer_len(self.block.len() as u32) + self.block.len()
    }

    /// Appends length and block; a length of zero if there are none [MQTT-2.2.2-1].
    pub fn encode(self, out: &mut Vec<u8>) {
        encode_variable_byte_integer(self.block.len() as u32, out);
        out.extend_from_slice(self.block);
    }

    /// The same without Reason String and User Properties: what a packet must do without for a
    /// client that did not ask for problem information, or that takes no packet that long.
    pub fn without_diagnostics(self) -> PropertyBuffer {
        let mut left = PropertyBuffer::new();
        for property in self.iter() {
            match property {
                Property::ReasonString(_) | Property::UserProperty(_) => {}
                other => left.push(other),
            }
        }
        left
    }

    /// User Properties, in order [MQTT-3.3.2-18].
    pub fn user_properties(self) -> impl Iterator<Item = (&'a str, &'a str)> + Clone {
        let all = if self.present & bit::UserProperty == 0 { Self::EMPTY } else { self };
        all.iter().filter_map(|property| match property {
            Property::UserProperty(pair) => Some(pair),
            _ => None,
        })
    }

    getters! {
        /// Whether the payload is UTF-8.
        payload_format_indicator: PayloadFormatIndicator -> bool;
        /// Seconds until the message expires.
        message_expiry_interval: MessageExpiryInterval -> u32;
        /// Content type of the payload.
        content_type: ContentType -> &'a str;
        /// Topic Name for a response.
        response_topic: ResponseTopic -> &'a str;
        /// Correlation data of a request.
        correlation_data: CorrelationData -> &'a [u8];
        /// The (first) Subscription Identifier.
        subscription_identifier: SubscriptionIdentifier -> u32;
        /// Seconds the Session outlives its connection.
        session_expiry_interval: SessionExpiryInterval -> u32;
        /// Client Identifier that the server chose.
        assigned_client_identifier: AssignedClientIdentifier -> &'a str;
        /// Keep Alive that the server imposes, in seconds.
        server_keep_alive: ServerKeepAlive -> u16;
        /// Name of the authentication method.
        authentication_method: AuthenticationMethod -> &'a str;
        /// Data of the authentication method.
        authentication_data: AuthenticationData -> &'a [u8];
        /// Whether Reason Strings and User Properties may be sent on any packet.
        request_problem_information: RequestProblemInformation -> bool;
        /// Seconds between the end of the connection and its will.
        will_delay_interval: WillDelayInterval -> u32;
        /// Whether the client asks for Response Information.
        request_response_information: RequestResponseInformation -> bool;
        /// What response topics are made of.
        response_information: ResponseInformation -> &'a str;
        /// Text for people.
        reason_string: ReasonString -> &'a str;
        /// How many QoS 1 and 2 publications may be in flight.
        receive_maximum: ReceiveMaximum -> u16;
        /// The highest Topic Alias taken.
        topic_alias_maximum: TopicAliasMaximum -> u16;
        /// Topic Alias of a PUBLISH.
        topic_alias: TopicAlias -> u16;
        /// The highest QoS the server takes.
        maximum_qos: MaximumQoS -> u8;
        /// Whether the server retains.
        retain_available: RetainAvailable -> bool;
        /// The largest packet taken, in bytes.
        maximum_packet_size: MaximumPacketSize -> u32;
        /// Whether the server takes wildcards.
        wildcard_subscription_available: WildcardSubscriptionAvailable -> bool;
        /// Whether the server takes Subscription Identifiers.
        subscription_identifier_available: SubscriptionIdentifierAvailable -> bool;
        /// Whether the server takes Shared Subscriptions.
        shared_subscription_available: SharedSubscriptionAvailable -> bool;
        /// Another server to use.
        server_reference: ServerReference -> &'a str;
    }
}

/// Lists them, and leaves Authentication Data out.
impl fmt::Debug for Properties<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |property: &Property<'_>| !matches!(property, Property::AuthenticationData(_));
        f.debug_list().entries(self.iter().filter(shown)).finish()
    }
}

/// Properties being put together for a packet to send.
#[derive(Clone, Debug, Default)]
pub struct PropertyBuffer {
    block: Vec<u8>,
    present: u64,
}

impl PropertyBuffer {
    /// No properties yet.
    pub const fn new() -> Self {
        Self { block: Vec::new(), present: 0 }
    }

    /// Adds one.
    pub fn push(&mut self, property: Property<'_>) {
        self.present |= 1 << property.id();
        property.encode(&mut self.block);
    }

    /// Adds one, if there is one.
    pub fn push_some(&mut self, property: Option<Property<'_>>) {
        if let Some(property) = property {
            self.push(property);
        }
    }

    /// The block so far.
    pub fn as_properties(&self) -> Properties<'_> {
        Properties { block: &self.block, present: self.present }
    }
}

/// Whether `bytes` is a string that MQTT allows [MQTT-1.5.4-1] [MQTT-1.5.4-2].
pub fn is_mqtt_string(bytes: &[u8]) -> bool {
    bytes.len() <= usize::from(u16::MAX) && checked_string(bytes).is_ok()
}
