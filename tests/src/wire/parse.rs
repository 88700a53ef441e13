use super::{Ack, AckKind, Prop};
use crate::Version;

/// A packet of the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the packets and their fields")]
pub enum Packet {
    ConnAck(ConnAck),
    Publish(Delivery),
    Ack(Ack),
    SubAck { id: u16, codes: Vec<u8>, props: Vec<Prop> },
    UnsubAck { id: u16, codes: Vec<u8>, props: Vec<Prop> },
    PingResp,
    Disconnect { code: u8, props: Vec<Prop> },
    Auth { code: u8, props: Vec<Prop> },
}

/// CONNACK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnAck {
    /// Session Present.
    pub session_present: bool,
    /// Return Code or Reason Code.
    pub code: u8,
    /// Properties (v5).
    pub props: Vec<Prop>,
}

/// PUBLISH, as the broker sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Topic Name; empty where an alias stands for it.
    pub topic: String,
    /// Payload.
    pub payload: Vec<u8>,
    /// QoS.
    pub qos: u8,
    /// RETAIN.
    pub retain: bool,
    /// DUP.
    pub dup: bool,
    /// Packet Identifier.
    pub id: Option<u16>,
    /// Properties (v5).
    pub props: Vec<Prop>,
    /// Length of the whole packet in bytes.
    pub packet_len: usize,
}

impl Delivery {
    /// The payload as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }

    /// The Packet Identifier of a delivery above QoS 0.
    pub fn packet_id(&self) -> u16 {
        self.id.expect("a delivery above QoS 0 has a Packet Identifier")
    }

    /// Message Expiry Interval.
    pub fn expiry(&self) -> Option<u32> {
        self.props.iter().find_map(|prop| match prop {
            Prop::MessageExpiry(secs) => Some(*secs),
            _ => None,
        })
    }

    /// Every Subscription Identifier, sorted.
    pub fn subscription_identifiers(&self) -> Vec<u32> {
        let mut ids: Vec<u32> = self
            .props
            .iter()
            .filter_map(|prop| match prop {
                Prop::SubscriptionIdentifier(id) => Some(*id),
                _ => None,
            })
            .collect();
        ids.sort_unstable();
        ids
    }
}

/// Takes the first whole packet off `bytes`: its first byte, its body, and its length.
pub fn split(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let first_byte = *bytes.first()?;
    let mut remaining = 0;
    let mut at = 1;
    loop {
        let byte = *bytes.get(at)?;
        remaining |= usize::from(byte & 0x7f) << (7 * (at - 1));
        at += 1;
        if byte & 0x80 == 0 {
            break;
        }
        assert!(at < 5, "the broker sent a Remaining Length of five bytes");
    }
    let body = bytes.get(at..at + remaining)?;
    Some((first_byte, body, at + remaining))
}

/// Reads one packet; panics at anything that the standard does not allow a server to send.
pub fn parse(version: Version, first_byte: u8, body: &[u8], packet_len: usize) -> Packet {
    let mut cursor = Cursor(body);
    let v5 = version == Version::V5;
    let packet = match first_byte {
        0x20 => connack(&mut cursor, v5),
        0x30..=0x3F => publish(&mut cursor, first_byte, v5, packet_len),
        0x40 => ack(&mut cursor, AckKind::PubAck),
        0x50 => ack(&mut cursor, AckKind::PubRec),
        0x62 => ack(&mut cursor, AckKind::PubRel),
        0x70 => ack(&mut cursor, AckKind::PubComp),
        0x90 => Packet::SubAck {
            id: cursor.u16(),
            props: if v5 { cursor.props() } else { Vec::new() },
            codes: cursor.rest().to_vec(),
        },
        0xB0 => Packet::UnsubAck {
            id: cursor.u16(),
            props: if v5 { cursor.props() } else { Vec::new() },
            codes: cursor.rest().to_vec(),
        },
        0xD0 => Packet::PingResp,
        0xE0 if v5 => Packet::Disconnect {
            code: if cursor.0.is_empty() { 0 } else { cursor.u8() },
            props: cursor.optional_props(),
        },
        0xF0 if v5 => Packet::Auth {
            code: if cursor.0.is_empty() { 0 } else { cursor.u8() },
            props: cursor.optional_props(),
        },
        other => {
            panic!("the broker sent a packet of first byte {other:#04x} to a {version:?} client")
        }
    };
    assert!(cursor.0.is_empty(), "bytes are left over after {packet:?}");
    packet
}

fn connack(cursor: &mut Cursor<'_>, v5: bool) -> Packet {
    let flags = cursor.u8();
    assert_eq!(flags & 0xFE, 0, "CONNACK has reserved bits set");
    Packet::ConnAck(ConnAck {
        session_present: flags == 1,
        code: cursor.u8(),
        // A server that does not know the version of its client answers without properties.
        props: if v5 { cursor.optional_props() } else { Vec::new() },
    })
}

fn publish(cursor: &mut Cursor<'_>, first_byte: u8, v5: bool, packet_len: usize) -> Packet {
    let qos = first_byte >> 1 & 3;
    assert_ne!(qos, 3, "the broker sent a PUBLISH of QoS 3");
    let topic = cursor.text();
    let id = (qos > 0).then(|| cursor.u16());
    assert_ne!(id, Some(0), "the broker sent a PUBLISH with Packet Identifier 0");
    Packet::Publish(Delivery {
        topic,
        qos,
        retain: first_byte & 1 != 0,
        dup: first_byte & 8 != 0,
        id,
        props: if v5 { cursor.props() } else { Vec::new() },
        payload: cursor.rest().to_vec(),
        packet_len,
    })
}

fn ack(cursor: &mut Cursor<'_>, kind: AckKind) -> Packet {
    Packet::Ack(Ack {
        kind,
        id: cursor.u16(),
        code: if cursor.0.is_empty() { 0 } else { cursor.u8() },
        props: cursor.optional_props(),
    })
}

/// Reads fields off the front of a body; panics where one is cut short.
pub(super) struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) =
            self.0.split_at_checked(len).expect("a field of the broker is cut short");
        self.0 = rest;
        taken
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub(super) fn u8(&mut self) -> u8 {
        self.take(1)[0]
    }

    pub(super) fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.take(2).try_into().expect("two bytes"))
    }

    pub(super) fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.take(4).try_into().expect("four bytes"))
    }

    pub(super) fn variable_byte_integer(&mut self) -> u32 {
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.u8();
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return value;
            }
        }
        panic!("the broker sent an integer of five bytes");
    }

    pub(super) fn binary(&mut self) -> &'a [u8] {
        let len = self.u16();
        self.take(usize::from(len))
    }

    pub(super) fn text(&mut self) -> String {
        String::from_utf8(self.binary().to_vec()).expect("the broker sends UTF-8")
    }

    fn props(&mut self) -> Vec<Prop> {
        let len = self.variable_byte_integer();
        let mut block = Cursor(self.take(len as usize));
        let mut props = Vec::new();
        while !block.0.is_empty() {
            props.push(Prop::parse(&mut block));
        }
        props
    }

    fn optional_props(&mut self) -> Vec<Prop> {
        if self.0.is_empty() { Vec::new() } else { self.props() }
    }
}
