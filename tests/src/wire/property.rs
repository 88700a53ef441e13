use super::build::{put_string, put_variable_byte_integer};
use super::parse::Cursor;

macro_rules! properties {
    ($($id:literal $name:ident $kind:ident,)*) => {
        /// A property with any value its wire format can hold, allowed or not.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the names are those of table 2-4")]
        pub enum Prop {
            $($name(kind_type!($kind)),)*
            /// Bytes put into the property block as they are.
            Raw(Vec<u8>),
        }

        impl Prop {
            /// Appends identifier and value.
            pub fn encode(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$name(value) => { out.push($id); kind_put!(out, value, $kind); })*
                    Self::Raw(bytes) => out.extend_from_slice(bytes),
                }
            }

            pub(super) fn parse(cursor: &mut Cursor<'_>) -> Self {
                match cursor.u8() {
                    $($id => Self::$name(kind_get!(cursor, $kind)),)*
                    other => panic!("the broker sent the unknown property {other:#04x}"),
                }
            }
        }
    };
}

macro_rules! kind_type {
    (u8) => { u8 };
    (u16) => { u16 };
    (u32) => { u32 };
    (variable) => { u32 };
    (text) => { String };
    (binary) => { Vec<u8> };
    (pair) => { (String, String) };
}

macro_rules! kind_put {
    ($out:ident, $v:ident, u8) => {
        $out.push(*$v)
    };
    ($out:ident, $v:ident, u16) => {
        $out.extend_from_slice(&$v.to_be_bytes())
    };
    ($out:ident, $v:ident, u32) => {
        $out.extend_from_slice(&$v.to_be_bytes())
    };
    ($out:ident, $v:ident, variable) => {
        put_variable_byte_integer(*$v, $out)
    };
    ($out:ident, $v:ident, text) => {
        put_string($v, $out)
    };
    ($out:ident, $v:ident, binary) => {
        put_string($v, $out)
    };
    ($out:ident, $v:ident, pair) => {{
        put_string(&$v.0, $out);
        put_string(&$v.1, $out);
    }};
}

macro_rules! kind_get {
    ($c:ident, u8) => {
        $c.u8()
    };
    ($c:ident, u16) => {
        $c.u16()
    };
    ($c:ident, u32) => {
        $c.u32()
    };
    ($c:ident, variable) => {
        $c.variable_byte_integer()
    };
    ($c:ident, text) => {
        $c.text()
    };
    ($c:ident, binary) => {
        $c.binary().to_vec()
    };
    ($c:ident, pair) => {
        ($c.text(), $c.text())
    };
}

properties! {
    0x01 PayloadFormat u8,
    0x02 MessageExpiry u32,
    0x03 ContentType text,
    0x08 ResponseTopic text,
    0x09 CorrelationData binary,
    0x0B SubscriptionIdentifier variable,
    0x11 SessionExpiry u32,
    0x12 AssignedClientIdentifier text,
    0x13 ServerKeepAlive u16,
    0x15 AuthenticationMethod text,
    0x16 AuthenticationData binary,
    0x17 RequestProblemInformation u8,
    0x18 WillDelay u32,
    0x19 RequestResponseInformation u8,
    0x1A ResponseInformation text,
    0x1C ServerReference text,
    0x1F ReasonString text,
    0x21 ReceiveMaximum u16,
    0x22 TopicAliasMaximum u16,
    0x23 TopicAlias u16,
    0x24 MaximumQoS u8,
    0x25 RetainAvailable u8,
    0x26 User pair,
    0x27 MaximumPacketSize u32,
    0x28 WildcardSubscriptionAvailable u8,
    0x29 SubscriptionIdentifierAvailable u8,
    0x2A SharedSubscriptionAvailable u8,
}

impl Prop {
    /// A User Property.
    pub fn user(name: &str, value: &str) -> Self {
        Self::User((name.to_owned(), value.to_owned()))
    }

    /// Appends Property Length and all of `props`.
    pub fn encode_all(props: &[Self], out: &mut Vec<u8>) {
        let mut block = Vec::new();
        for prop in props {
            prop.encode(&mut block);
        }
        put_variable_byte_integer(block.len() as u32, out);
        out.extend_from_slice(&block);
    }
}
