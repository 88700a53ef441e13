use crate::writer::{put_binary, put_string};
use crate::{Reader, Violation, encode_variable_byte_integer};

/// Where a property block stands; which properties are allowed depends on it (table 2-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of the packets")]
pub enum PropertyContext {
    Connect,
    Will,
    ConnAck,
    Publish,
    PubAck,
    PubRec,
    PubRel,
    PubComp,
    Subscribe,
    SubAck,
    Unsubscribe,
    UnsubAck,
    Disconnect,
    Auth,
}

macro_rules! properties {
    ($($id:literal $name:ident($($kind:tt)+) in [$($context:ident)+],)*) => {
        /// One property, with its value checked.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the names are those of table 2-4")]
        pub enum Property<'a> { $($name(value_type!($($kind)+)),)* }

        /// A bit for each property, for sets of them.
        #[expect(non_upper_case_globals, reason = "the names are those of the properties")]
        pub(crate) mod bit { $(pub(crate) const $name: u64 = 1 << $id;)* }

        impl<'a> Property<'a> {
            /// The identifier on the wire.
            pub fn id(&self) -> u8 {
                match self { $(Self::$name(..) => $id,)* }
            }

            pub(crate) fn decode(id: u32, reader: &mut Reader<'a>) -> Result<Self, Violation> {
                match id {
                    $($id => Ok(Self::$name(read_value!(reader, $($kind)+)?)),)*
                    _ => Err(Violation::malformed("a property identifier is unknown")),
                }
            }

            pub(crate) fn is_allowed_in(&self, context: PropertyContext) -> bool {
                match self {
                    $(Self::$name(..) => matches!(context, $(PropertyContext::$context)|+),)*
                }
            }

            /// Appends identifier and value; a string is cut after 65,535 bytes.
            pub fn encode(&self, out: &mut Vec<u8>) {
                out.push(self.id());
                match *self { $(Self::$name(value) => write_value!(out, value, $($kind)+),)* }
            }
        }
    };
}

macro_rules! value_type {
    (bool) => { bool };
    (u8) => { u8 };
    (u16) => { u16 };
    (u32) => { u32 };
    (varint) => { u32 };
    (str) => { &'a str };
    (bin) => { &'a [u8] };
    (pair) => { (&'a str, &'a str) };
}

macro_rules! read_value {
    ($r:ident, bool) => {
        boolean($r)
    };
    ($r:ident, u8) => {
        $r.u8()
    };
    ($r:ident, u16) => {
        $r.u16()
    };
    ($r:ident, u32) => {
        $r.u32()
    };
    ($r:ident, varint) => {
        $r.variable_byte_integer()
    };
    ($r:ident, str) => {
        $r.string()
    };
    ($r:ident, bin) => {
        $r.binary()
    };
    ($r:ident, pair) => {
        pair($r)
    };
}

macro_rules! write_value {
    ($out:ident, $v:ident, bool) => {
        $out.push(u8::from($v))
    };
    ($out:ident, $v:ident, u8) => {
        $out.push($v)
    };
    ($out:ident, $v:ident, u16) => {
        $out.extend_from_slice(&$v.to_be_bytes())
    };
    ($out:ident, $v:ident, u32) => {
        $out.extend_from_slice(&$v.to_be_bytes())
    };
    ($out:ident, $v:ident, varint) => {
        encode_variable_byte_integer($v, $out)
    };
    ($out:ident, $v:ident, str) => {
        put_string($v, $out)
    };
    ($out:ident, $v:ident, bin) => {
        put_binary($v, $out)
    };
    ($out:ident, $v:ident, pair) => {{
        put_string($v.0, $out);
        put_string($v.1, $out);
    }};
}

properties! {
    0x01 PayloadFormatIndicator(bool) in [Publish Will],
    0x02 MessageExpiryInterval(u32) in [Publish Will],
    0x03 ContentType(str) in [Publish Will],
    0x08 ResponseTopic(str) in [Publish Will],
    0x09 CorrelationData(bin) in [Publish Will],
    0x0B SubscriptionIdentifier(varint) in [Publish Subscribe],
    0x11 SessionExpiryInterval(u32) in [Connect ConnAck Disconnect],
    0x12 AssignedClientIdentifier(str) in [ConnAck],
    0x13 ServerKeepAlive(u16) in [ConnAck],
    0x15 AuthenticationMethod(str) in [Connect ConnAck Auth],
    0x16 AuthenticationData(bin) in [Connect ConnAck Auth],
    0x17 RequestProblemInformation(bool) in [Connect],
    0x18 WillDelayInterval(u32) in [Will],
    0x19 RequestResponseInformation(bool) in [Connect],
    0x1A ResponseInformation(str) in [ConnAck],
    0x1C ServerReference(str) in [ConnAck Disconnect],
    0x1F ReasonString(str) in [ConnAck PubAck PubRec PubRel PubComp SubAck UnsubAck Disconnect Auth],
    0x21 ReceiveMaximum(u16) in [Connect ConnAck],
    0x22 TopicAliasMaximum(u16) in [Connect ConnAck],
    0x23 TopicAlias(u16) in [Publish],
    0x24 MaximumQoS(u8) in [ConnAck],
    0x25 RetainAvailable(bool) in [ConnAck],
    0x26 UserProperty(pair) in [Connect Will ConnAck Publish PubAck PubRec PubRel PubComp Subscribe SubAck Unsubscribe UnsubAck Disconnect Auth],
    0x27 MaximumPacketSize(u32) in [Connect ConnAck],
    0x28 WildcardSubscriptionAvailable(bool) in [ConnAck],
    0x29 SubscriptionIdentifierAvailable(bool) in [ConnAck],
    0x2A SharedSubscriptionAvailable(bool) in [ConnAck],
}

fn boolean(reader: &mut Reader<'_>) -> Result<bool, Violation> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Violation::protocol_error("a property takes only 0 or 1")),
    }
}

fn pair<'a>(reader: &mut Reader<'a>) -> Result<(&'a str, &'a str), Violation> {
    Ok((reader.string()?, reader.string()?))
}

impl Property<'_> {
    /// Rules that hold for a value wherever it stands [MQTT-3.3.2-14].
    pub(crate) fn check_value(&self) -> Result<(), Violation> {
        match self {
            Self::SubscriptionIdentifier(0) => {
                Err(Violation::protocol_error("a Subscription Identifier is 0"))
            }
            Self::ReceiveMaximum(0) => Err(Violation::protocol_error("a Receive Maximum is 0")),
            Self::MaximumPacketSize(0) => {
                Err(Violation::protocol_error("a Maximum Packet Size is 0"))
            }
            Self::ResponseTopic(topic) if topic.contains(['+', '#']) => {
                Err(Violation::protocol_error("a Response Topic holds a wildcard"))
            }
            Self::MaximumQoS(2..) => Err(Violation::protocol_error("a Maximum QoS is above 1")),
            _ => Ok(()),
        }
    }

    pub(crate) fn may_repeat_in(&self, context: PropertyContext) -> bool {
        matches!(self, Self::UserProperty(..))
            || (matches!(self, Self::SubscriptionIdentifier(..))
                && context == PropertyContext::Publish)
    }
}
