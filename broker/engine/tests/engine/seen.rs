use std::fmt;

use pintle_mqtt::{Frame, Packet, Properties, ProtocolVersion, Publish, QoS, ReasonCode};

/// A packet that a client got.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    frame: Vec<u8>,
    version: ProtocolVersion,
}

impl Seen {
    /// All packets in `bytes`; what a server must not send makes the test fail.
    pub(crate) fn all_in(mut bytes: &[u8], version: ProtocolVersion) -> Vec<Self> {
        let mut seen = Vec::new();
        while let Some(frame) = Frame::split(bytes, u32::MAX).unwrap() {
            Packet::decode(&frame, version).unwrap();
            bytes = &bytes[frame.bytes.len()..];
            seen.push(Self { frame: frame.bytes.to_vec(), version });
        }
        assert!(bytes.is_empty(), "half a packet was sent: {bytes:?}");
        seen
    }

    pub(crate) fn packet(&self) -> Packet<'_> {
        let frame = Frame::split(&self.frame, u32::MAX).unwrap().unwrap();
        Packet::decode(&frame, self.version).unwrap()
    }

    pub(crate) fn is_publish(&self) -> bool {
        self.frame[0] >> 4 == 3
    }

    pub(crate) fn publish(&self) -> Publish<'_> {
        match self.packet() {
            Packet::Publish(publish) => publish,
            other => panic!("not a PUBLISH: {other:?}"),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.frame.len()
    }

    pub(crate) fn qos(&self) -> QoS {
        self.publish().flags.qos
    }

    pub(crate) fn retain(&self) -> bool {
        self.publish().flags.retain
    }

    pub(crate) fn dup(&self) -> bool {
        self.publish().flags.dup
    }

    pub(crate) fn topic(&self) -> &str {
        self.publish().topic.map_or("", |topic| topic.as_str())
    }

    pub(crate) fn payload(&self) -> String {
        String::from_utf8_lossy(self.publish().payload).into_owned()
    }

    pub(crate) fn packet_id(&self) -> u16 {
        self.publish().packet_id.map_or(0, |id| id.get())
    }

    /// Subscription Identifiers, in order.
    pub(crate) fn identifiers(&self) -> Vec<u32> {
        let properties = self.properties();
        properties
            .iter()
            .filter_map(|property| match property {
                pintle_mqtt::Property::SubscriptionIdentifier(id) => Some(id),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn properties(&self) -> Properties<'_> {
        match self.packet() {
            Packet::ConnAck(connack) => connack.properties,
            Packet::Publish(publish) => publish.properties,
            Packet::Disconnect(disconnect) => disconnect.properties,
            Packet::Auth(auth) => auth.properties,
            Packet::PubAck(ack) | Packet::PubRec(ack) => ack.properties,
            other => panic!("no properties looked at in {other:?}"),
        }
    }

    /// The packet in a word or two, as tests compare it.
    pub(crate) fn short(&self) -> String {
        let code = |reason: ReasonCode| {
            if reason == ReasonCode::Success { String::new() } else { format!(" {reason:?}") }
        };
        match self.packet() {
            Packet::ConnAck(connack) => {
                let present = if connack.session_present { " present" } else { "" };
                format!("CONNACK{present}{}", code(connack.reason))
            }
            Packet::Publish(_) => format!("PUBLISH {} {}", self.topic(), self.payload()),
            Packet::PubAck(ack) => format!("PUBACK {}{}", ack.packet_id, code(ack.reason)),
            Packet::PubRec(ack) => format!("PUBREC {}{}", ack.packet_id, code(ack.reason)),
            Packet::PubRel(ack) => format!("PUBREL {}{}", ack.packet_id, code(ack.reason)),
            Packet::PubComp(ack) => format!("PUBCOMP {}{}", ack.packet_id, code(ack.reason)),
            Packet::SubAck(ack) => {
                let codes: Vec<_> = ack.codes.iter().map(|code| code.as_u8()).collect();
                format!("SUBACK {} {codes:02x?}", ack.packet_id)
            }
            Packet::UnsubAck(ack) => {
                let codes: Vec<_> = ack.codes.iter().map(|code| code.as_u8()).collect();
                format!("UNSUBACK {} {codes:02x?}", ack.packet_id)
            }
            Packet::PingResp => "PINGRESP".to_owned(),
            Packet::Disconnect(disconnect) => format!("DISCONNECT{}", code(disconnect.reason)),
            Packet::Auth(auth) => format!("AUTH{}", code(auth.reason)),
            other => panic!("a server does not send this: {other:?}"),
        }
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}
