use super::Prop;
use crate::Version;

/// Something a client sends; its bytes depend on the version.
pub trait Encode {
    /// The whole packet.
    fn encode(&self, version: Version) -> Vec<u8>;
}

/// Appends a Variable Byte Integer.
pub fn put_variable_byte_integer(mut value: u32, out: &mut Vec<u8>) {
    loop {
        let more = value > 127;
        out.push((value % 128) as u8 | u8::from(more) << 7);
        value /= 128;
        if !more {
            return;
        }
    }
}

/// Appends a length of two bytes and `bytes`, which need not be UTF-8.
pub fn put_string(bytes: impl AsRef<[u8]>, out: &mut Vec<u8>) {
    let bytes = bytes.as_ref();
    let len = u16::try_from(bytes.len()).expect("a string of MQTT fits 65,535 bytes");
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(bytes);
}

/// A packet of this first byte and body.
pub fn frame(first_byte: u8, body: &[u8]) -> Vec<u8> {
    frame_with_length(first_byte, body.len() as u32, body)
}

/// A packet whose Remaining Length says `len`, true or not.
pub fn frame_with_length(first_byte: u8, len: u32, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first_byte];
    put_variable_byte_integer(len, &mut out);
    out.extend_from_slice(body);
    out
}

/// PINGREQ.
pub fn ping() -> Vec<u8> {
    vec![0xC0, 0]
}

/// PUBLISH.
#[derive(Clone, Debug)]
pub struct Publish {
    topic: Vec<u8>,
    payload: Vec<u8>,
    flags: u8,
    packet_id: Option<u16>,
    props: Vec<Prop>,
}

impl Publish {
    /// QoS 0, not retained.
    pub fn new(topic: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> Self {
        Self {
            topic: topic.as_ref().to_vec(),
            payload: payload.as_ref().to_vec(),
            flags: 0,
            packet_id: None,
            props: Vec::new(),
        }
    }

    /// With this QoS, 3 included.
    #[must_use]
    pub fn qos(mut self, qos: u8) -> Self {
        self.flags = self.flags & !6 | qos << 1;
        self
    }

    /// With RETAIN.
    #[must_use]
    pub fn retained(mut self) -> Self {
        self.flags |= 1;
        self
    }

    /// With DUP.
    #[must_use]
    pub fn dup(mut self) -> Self {
        self.flags |= 8;
        self
    }

    /// With this Packet Identifier.
    #[must_use]
    pub fn id(mut self, id: u16) -> Self {
        self.packet_id = Some(id);
        self
    }

    /// With one more property.
    #[must_use]
    pub fn with(mut self, prop: Prop) -> Self {
        self.props.push(prop);
        self
    }

    /// The QoS it asks for.
    pub fn asked_qos(&self) -> u8 {
        self.flags >> 1 & 3
    }

    /// The Packet Identifier, if one is set.
    pub fn packet_id(&self) -> Option<u16> {
        self.packet_id
    }
}

impl Encode for Publish {
    fn encode(&self, version: Version) -> Vec<u8> {
        let mut body = Vec::new();
        put_string(&self.topic, &mut body);
        if let Some(id) = self.packet_id {
            body.extend_from_slice(&id.to_be_bytes());
        }
        if version == Version::V5 {
            Prop::encode_all(&self.props, &mut body);
        }
        body.extend_from_slice(&self.payload);
        frame(0x30 | self.flags, &body)
    }
}

/// SUBSCRIBE.
#[derive(Clone, Debug)]
pub struct Subscribe {
    packet_id: Option<u16>,
    props: Vec<Prop>,
    filters: Vec<(Vec<u8>, u8)>,
}

impl Subscribe {
    /// No Local, a bit of the Subscription Options.
    pub const NO_LOCAL: u8 = 0x04;
    /// Retain As Published.
    pub const RETAIN_AS_PUBLISHED: u8 = 0x08;
    /// Retain Handling 1.
    pub const SEND_IF_NEW: u8 = 0x10;
    /// Retain Handling 2.
    pub const DO_NOT_SEND: u8 = 0x20;

    /// One filter with its options: the QoS, and bits of this type's constants.
    pub fn to(filter: impl AsRef<[u8]>, options: u8) -> Self {
        Self::to_nothing().and(filter, options)
    }

    /// Without a filter.
    pub fn to_nothing() -> Self {
        Self { packet_id: None, props: Vec::new(), filters: Vec::new() }
    }

    /// With one more filter.
    #[must_use]
    pub fn and(mut self, filter: impl AsRef<[u8]>, options: u8) -> Self {
        self.filters.push((filter.as_ref().to_vec(), options));
        self
    }

    /// With this Packet Identifier instead of the client's next one.
    #[must_use]
    pub fn id(mut self, id: u16) -> Self {
        self.packet_id = Some(id);
        self
    }

    /// With one more property.
    #[must_use]
    pub fn with(mut self, prop: Prop) -> Self {
        self.props.push(prop);
        self
    }

    /// The Packet Identifier, if one is set.
    pub fn packet_id(&self) -> Option<u16> {
        self.packet_id
    }
}

impl Encode for Subscribe {
    fn encode(&self, version: Version) -> Vec<u8> {
        let mut body = self.packet_id.unwrap_or(1).to_be_bytes().to_vec();
        if version == Version::V5 {
            Prop::encode_all(&self.props, &mut body);
        }
        for (filter, options) in &self.filters {
            put_string(filter, &mut body);
            body.push(*options);
        }
        frame(0x82, &body)
    }
}

/// UNSUBSCRIBE.
#[derive(Clone, Debug)]
pub struct Unsubscribe {
    packet_id: u16,
    filters: Vec<Vec<u8>>,
    props: Vec<Prop>,
}

impl Unsubscribe {
    /// Of these filters.
    pub fn of(packet_id: u16, filters: &[&str]) -> Self {
        Self {
            packet_id,
            filters: filters.iter().map(|f| f.as_bytes().to_vec()).collect(),
            props: Vec::new(),
        }
    }

    /// With one more property.
    #[must_use]
    pub fn with(mut self, prop: Prop) -> Self {
        self.props.push(prop);
        self
    }
}

impl Encode for Unsubscribe {
    fn encode(&self, version: Version) -> Vec<u8> {
        let mut body = self.packet_id.to_be_bytes().to_vec();
        if version == Version::V5 {
            Prop::encode_all(&self.props, &mut body);
        }
        for filter in &self.filters {
            put_string(filter, &mut body);
        }
        frame(0xA2, &body)
    }
}

/// Which acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the packets")]
pub enum AckKind {
    PubAck,
    PubRec,
    PubRel,
    PubComp,
}

impl AckKind {
    /// The first byte of the packet.
    pub fn first_byte(self) -> u8 {
        match self {
            Self::PubAck => 0x40,
            Self::PubRec => 0x50,
            Self::PubRel => 0x62,
            Self::PubComp => 0x70,
        }
    }
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Which.
    pub kind: AckKind,
    /// Packet Identifier.
    pub id: u16,
    /// Reason Code; 0 where none was sent.
    pub code: u8,
    /// Properties.
    pub props: Vec<Prop>,
}

impl Ack {
    /// A success.
    pub fn new(kind: AckKind, id: u16) -> Self {
        Self { kind, id, code: 0, props: Vec::new() }
    }

    /// With this Reason Code.
    #[must_use]
    pub fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// With one more property.
    #[must_use]
    pub fn with(mut self, prop: Prop) -> Self {
        self.props.push(prop);
        self
    }
}

impl Encode for Ack {
    fn encode(&self, version: Version) -> Vec<u8> {
        let mut body = self.id.to_be_bytes().to_vec();
        if version == Version::V5 && (self.code != 0 || !self.props.is_empty()) {
            body.push(self.code);
            if !self.props.is_empty() {
                Prop::encode_all(&self.props, &mut body);
            }
        }
        frame(self.kind.first_byte(), &body)
    }
}

/// DISCONNECT.
#[derive(Clone, Debug, Default)]
pub struct Disconnect {
    code: u8,
    props: Vec<Prop>,
}

impl Disconnect {
    /// With this Reason Code, which 3.1 and 3.1.1 leave out.
    pub fn code(code: u8) -> Self {
        Self { code, props: Vec::new() }
    }

    /// With one more property.
    #[must_use]
    pub fn with(mut self, prop: Prop) -> Self {
        self.props.push(prop);
        self
    }
}

impl Encode for Disconnect {
    fn encode(&self, version: Version) -> Vec<u8> {
        let mut body = Vec::new();
        if version == Version::V5 && (self.code != 0 || !self.props.is_empty()) {
            body.push(self.code);
            Prop::encode_all(&self.props, &mut body);
        }
        frame(0xE0, &body)
    }
}

/// AUTH.
#[derive(Clone, Debug)]
pub struct Auth {
    code: u8,
    props: Vec<Prop>,
}

impl Auth {
    /// 0x18: the next step of an exchange.
    pub fn goes_on(method: &str, data: &[u8]) -> Self {
        Self::new(0x18, method, data)
    }

    /// 0x19: the client authenticates anew.
    pub fn begins_anew(method: &str, data: &[u8]) -> Self {
        Self::new(0x19, method, data)
    }

    fn new(code: u8, method: &str, data: &[u8]) -> Self {
        Self {
            code,
            props: vec![
                Prop::AuthenticationMethod(method.to_owned()),
                Prop::AuthenticationData(data.to_vec()),
            ],
        }
    }
}

impl Encode for Auth {
    fn encode(&self, _version: Version) -> Vec<u8> {
        let mut body = vec![self.code];
        Prop::encode_all(&self.props, &mut body);
        frame(0xF0, &body)
    }
}
